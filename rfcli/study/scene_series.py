"""Scenes at every triangle count, with their path-traced truth: some tessellated ever finer, some of more detail, or
a scene of the user's.

A tessellated scene looks the same at every count, so that its truth is traced once: what a network makes of it should
not change either. A detailed scene spends its triangles on shape.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rfcli.images import Linear
from rfcli.scene import TriangleScene
from rfcli.study.tessellation import tessellated
from rfcli.synth import RenderedScenes, SceneOptions
from rfcli.synth.options import SMALLEST
from rfcli.truth import PathTracer

if TYPE_CHECKING:
    from rfcli.study.own_scene import OwnScene

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
