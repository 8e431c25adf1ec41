"""Random scenes: a pure function of seed, index and options."""

from dataclasses import dataclass

import numpy as np

from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.synth.cameras import random_cameras
from rfcli.synth.candidates import SPLITS, RejectedError, Split, random_stream
from rfcli.synth.lights import random_lights
from rfcli.synth.objects import random_objects
from rfcli.synth.own_meshes import OwnMeshes
from rfcli.synth.templates import random_template

MIN_TRIANGLES = 128  # of a scene: a coarse room with a simple object in it
MAX_TRIANGLES = 1 << 20  # of a scene: shapes are not refined further
MAX_CANDIDATES = 1000  # for one scene


@dataclass(frozen=True)
class SceneOptions:
    """Options of random scenes.

    Attributes:
        triangles: Smallest and largest number of triangles of a scene, in MIN_TRIANGLES..MAX_TRIANGLES.
        views: Number of cameras of a scene.
        meshes: The user's meshes, from which half of the objects are made; None for procedural shapes only.
        split: "train", "validation" or "test"; splits share no scene and no shape, whatever their seeds.
        curriculum: Numbers of triangles N have the density 1 / N^2 and not 1 / N: half as many scenes in each doubling
            as in the one below.

    Raises:
        InputError: The range is empty or outside its limits, `views` is below 1, or the split does not exist.
    """

    triangles: tuple[int, int] = (256, 1536)
    views: int = 4
    meshes: OwnMeshes | None = None
    split: Split = "train"
    curriculum: bool = False

    def __post_init__(self) -> None:
        low, high = self.triangles
        if not MIN_TRIANGLES <= low <= high <= MAX_TRIANGLES:
            raise InputError(
                f"`triangles` {low}-{high} is not a possible range; "
                f"give LOW-HIGH with {MIN_TRIANGLES} <= LOW <= HIGH <= {MAX_TRIANGLES}."
            )
        if self.views < 1:
            raise InputError(f"`views` is {self.views}; give at least 1.")
        if self.split not in SPLITS:
            raise InputError(f"`split` is {self.split}; give {', '.join(SPLITS)}.")


def random_scene(seed: int, index: int, options: SceneOptions) -> TriangleScene:
    """Scene `index` of a seed: the first candidate that is not rejected.

    Args:
        seed: Seed of the dataset.
        index: Number of the scene.
        options: Options of the scenes.

    Returns:
        The scene; the same on every machine, independent of the scenes made before.

    Raises:
        RuntimeError: MAX_CANDIDATES candidates were rejected.
    """
    for attempt in range(MAX_CANDIDATES):
        try:
            return candidate_scene(seed, index, attempt, options)
        except RejectedError:
            continue
    raise RuntimeError(f"{MAX_CANDIDATES} candidates for scene {index} were all rejected.")


def candidate_scene(seed: int, index: int, attempt: int, options: SceneOptions) -> TriangleScene:
    """One candidate for a scene; depends on the arguments alone. Raises RejectedError if it is not a good scene."""
    rng = random_stream(seed, index, attempt, options.split)
    low, high = options.triangles
    triangles = random_triangle_count(rng, options)
    template = random_template(rng, triangles)
    lights = random_lights(rng, template.name)
    used = sum(len(piece.triangles) for piece in (*template.pieces, *lights))
    objects = random_objects(rng, triangles - used, options.meshes)
    solid = [*template.pieces, *objects]
    cameras = random_cameras(rng, template, solid, options.views)
    pieces = [*solid, *lights]
    arrays = (
        np.concatenate([piece.triangles for piece in pieces]),
        np.concatenate([piece.vn for piece in pieces]),
        np.concatenate([piece.material for piece in pieces]),
        *cameras,
    )
    scene = TriangleScene(*(array.astype(np.float32) for array in arrays))
    if not low <= len(scene) <= high:
        raise RejectedError("triangle count out of range")
    return scene


def random_triangle_count(rng: np.random.Generator, options: SceneOptions) -> int:
    """Target number of triangles: log-uniform over the range, so that every doubling is equally frequent.

    With `curriculum` the density is 1 / N^2, so that all doublings have the same number of triangles in total and take
    about the same time in training.
    """
    low, high = options.triangles
    if options.curriculum:
        return min(high, max(low, int(1 / rng.uniform(1 / (high + 1), 1 / low))))
    return int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))
