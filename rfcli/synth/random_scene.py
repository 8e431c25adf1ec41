"""Random scenes, a pure function of seed, index and options."""

import numpy as np

from rfcli.scene import TriangleScene
from rfcli.synth.cameras import random_cameras
from rfcli.synth.lights import random_lights
from rfcli.synth.objects import random_objects
from rfcli.synth.options import SceneOptions
from rfcli.synth.rejection import RejectedError
from rfcli.synth.splits import stream
from rfcli.synth.templates import random_template


def draw(seed: int, index: int, attempt: int, options: SceneOptions) -> TriangleScene:
    """One draw of a scene; depends on nothing but its arguments. Raises RejectedError."""
    rng = stream(seed, index, attempt, options.split)
    low, high = options.triangles
    triangles = triangle_count(rng, options)
    template = random_template(rng, triangles)
    lights = random_lights(rng, template.name)
    taken = sum(len(part.triangles) for part in (*template.pieces, *lights))
    objects = random_objects(rng, triangles - taken, options.meshes)
    solid = [*template.pieces, *objects]
    cameras = random_cameras(rng, template, solid, options.views)
    parts = [*solid, *lights]
    arrays = (
        np.concatenate([part.triangles for part in parts]),
        np.concatenate([part.vn for part in parts]),
        np.concatenate([part.material for part in parts]),
        *cameras,
    )
    scene = TriangleScene(*(array.astype(np.float32) for array in arrays))
    if not low <= len(scene) <= high:
        raise RejectedError("triangle count out of range")
    return scene


def triangle_count(rng: np.random.Generator, options: SceneOptions) -> int:
    """How many triangles a scene is to have: log-uniform over the range, every doubling as often as the others.

    As a curriculum with density 1 / N^2: half as many scenes in each doubling as in the one below, so that all of them
    have the same number of triangles in all, and cost about the same to learn from.
    """
    low, high = options.triangles
    if options.curriculum:
        return min(high, max(low, int(1 / rng.uniform(1 / (high + 1), 1 / low))))
    return int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))


def random_scene(seed: int, index: int, options: SceneOptions) -> TriangleScene:
    """The first good draw of scene `index`: the same on every machine, whatever was drawn before."""
    for attempt in range(1000):
        try:
            return draw(seed, index, attempt, options)
        except RejectedError:
            continue
    raise RuntimeError(f"1000 draws of scene {index} were all rejected.")
