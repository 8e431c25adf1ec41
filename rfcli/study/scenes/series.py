"""A user's own scene at every triangle count: subdivided or decimated.

Scenes at every triangle count, with their path-traced truth: some tessellated ever finer, some of more detail, or
a scene of the user's.

A tessellated scene looks the same at every count, so that its truth is traced once: what a network makes of it should
not change either. A detailed scene spends its triangles on shape.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rfcli.errors import InputError
from rfcli.pictures.images import Linear
from rfcli.scene import TriangleScene, load
from rfcli.scene.limits import LARGEST_SCENE
from rfcli.scene.stage import stage
from rfcli.scene.suffixes import MESHES
from rfcli.study.scenes.decimation import decimated
from rfcli.study.scenes.tessellation import tessellated
from rfcli.synth import RenderedScenes, SceneOptions
from rfcli.synth.options import SMALLEST
from rfcli.truth import PathTracer


@dataclass(frozen=True)
class OwnScene:
    """name: of its file. scene: as the file has it, with its first camera."""

    name: str
    scene: TriangleScene
    _made: dict[int, TriangleScene] = field(default_factory=dict, repr=False, compare=False)

    def at(self, triangles: int) -> TriangleScene:
        """The scene with exactly so many triangles, or, where its parts cannot be decimated that far, as few as they
        can: halves of the largest triangles beyond the file's own count, decimated and filled up so below it.

        Raises InputError where there is nothing but emitters to halve.
        """
        if triangles not in self._made:
            fewer = decimated(self.scene, triangles)
            try:
                self._made[triangles] = tessellated(fewer, max(triangles, len(fewer)))
            except InputError as error:
                raise InputError(f"--scene {self.name}: {error}") from error
        return self._made[triangles]

    def reached(self, counts: Sequence[int]) -> dict[int, int]:
        """By count that is asked for: the count that the scene can be brought to."""
        return {count: len(self.at(count)) for count in counts}

    def facts(self) -> dict[str, Any]:
        """For results.json: what tells this scene from another."""
        digest = hashlib.sha256()
        for array in (self.scene.triangles, self.scene.vn, self.scene.material, self.scene.c2w, self.scene.fov):
            digest.update(array.tobytes())
        return {"file": self.name, "triangles": len(self.scene), "sha256": digest.hexdigest()}


def own_scene(path: Path, allow_outside: bool = False) -> OwnScene:
    """The scene in a file that `rf render` reads; a mesh is put on the lit stage.

    allow_outside: as `rfcli.load_scene`. Raises InputError where the file cannot be read.
    """
    if path.suffix.lower() in MESHES:
        scene = stage(path, max_triangles=LARGEST_SCENE).scene
    else:
        scene = load(path, allow_outside)
    return OwnScene(path.name, replace(scene, c2w=scene.c2w[:1], fov=scene.fov[:1]))


LOOK = PathTracer(8, denoise=False)  # by which random scenes are judged before they are kept
SCENES = 4  # of each series
FILLED = 0.9  # share of its triangles that a detailed scene has by itself; the rest come by tessellation


@dataclass(frozen=True)
class SceneSeries:
    """scene_at(triangles): a scene with one camera and exactly that many triangles, and its truth [R, R, 3], linear.

    number: among the series of this name, over which results are averaged: a single scene says little."""

    name: str
    scene_at: Callable[[int], tuple[TriangleScene, Linear]]
    number: int = 0


def synthetic_series(counts: Sequence[int], seed: int, resolution: int, samples: int) -> list[SceneSeries]:
    """SCENES of both series of our own synthesis, from the test split: no training has seen its scenes or shapes.

    samples: paths per pixel of the truth, denoised.
    """
    each = [_synthetic_pair(counts, seed, number, resolution, samples) for number in range(SCENES)]
    return [series for pair in each for series in pair]


def _synthetic_pair(
    counts: Sequence[int], seed: int, number: int, resolution: int, samples: int
) -> tuple[SceneSeries, SceneSeries]:
    cache: dict[int, tuple[TriangleScene, Linear]] = {}

    def random_scene(most: int) -> tuple[TriangleScene, Linear]:
        if most not in cache:
            options = SceneOptions((max(SMALLEST, int(FILLED * most)), max(SMALLEST, most)), views=1, split="test")
            scene, images, _ = RenderedScenes(seed, options, resolution, LOOK, PathTracer(samples))(number)
            cache[most] = scene, np.asarray(images[0])
        return cache[most]

    def coarse_scene_at(triangles: int) -> tuple[TriangleScene, Linear]:
        scene, truth = random_scene(min(counts))
        return tessellated(scene, triangles), truth

    def detailed_scene_at(triangles: int) -> tuple[TriangleScene, Linear]:
        scene, truth = random_scene(triangles)
        return tessellated(scene, triangles), truth

    return (
        SceneSeries("tessellated", coarse_scene_at, number),
        SceneSeries("detailed", detailed_scene_at, number),
    )


def own_series(own: "OwnScene", resolution: int, samples: int) -> list[SceneSeries]:
    """The user's scene alone. Subdivided it looks as it is, and its truth is traced once; decimated it has its own."""
    truths: dict[int, Linear] = {}

    def scene_at(triangles: int) -> tuple[TriangleScene, Linear]:
        scene, kind = own.at(triangles), min(triangles, len(own.scene))
        if kind not in truths:
            truths[kind] = np.asarray(PathTracer(samples).render(scene, resolution)[0])
        return scene, truths[kind]

    return [SceneSeries(Path(own.name).stem, scene_at)]
