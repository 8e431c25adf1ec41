"""Series of scenes for image quality: a scene at every triangle count, with its path-traced image.

A tessellated scene looks the same at every count, so its image is traced once, and the network's picture should not
change either. A detailed scene uses its triangles for shape.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rfcli.errors import InputError
from rfcli.pictures.images import Linear
from rfcli.scene import TriangleScene
from rfcli.study.scenes.own_scene import OwnScene
from rfcli.study.scenes.tessellation import tessellated
from rfcli.synth import RenderedScenes, SceneOptions
from rfcli.synth.random_scene import MIN_TRIANGLES
from rfcli.truth import PathTracer

DRAFT_TRACER = PathTracer(8, denoise=False)  # images by which random scenes are accepted or rejected
SCENES = 4  # of each series
MIN_DETAIL_SHARE = 0.9  # of the triangle count, that a detailed scene has before it is tessellated


@dataclass(frozen=True)
class SceneSeries:
    """One scene at every triangle count.

    Attributes:
        name: Name of the series.
        scene_at: Triangle count -> the scene with exactly that many triangles and one camera, and its path-traced image
            [R, R, 3], linear.
        number: Index of the scene in the series, from 0. Results are averaged over the scenes of a series.
    """

    name: str
    scene_at: Callable[[int], tuple[TriangleScene, Linear]]
    number: int = 0


def synthetic_series(counts: Sequence[int], seed: int, resolution: int, samples: int) -> list[SceneSeries]:
    """SCENES tessellated and SCENES detailed series of random scenes.

    Scenes and shapes are from the test split, which is never used for training.

    Args:
        counts: Triangle counts of the study, at least `rfcli.synth.random_scene.MIN_TRIANGLES`.
        seed: Seed of the random scenes.
        resolution: Pixels along a side of the path-traced images.
        samples: Paths per pixel; the images are denoised.

    Returns:
        The series, both of one scene next to each other.

    Raises:
        InputError: A count is too small for a random scene.
    """
    if min(counts) < MIN_TRIANGLES:
        raise InputError(f"`triangles`: pictures of random scenes need {MIN_TRIANGLES} or more, not {min(counts)}.")
    each = [_synthetic_pair(counts, seed, number, resolution, samples) for number in range(SCENES)]
    return [series for pair in each for series in pair]


def own_series(own: OwnScene, resolution: int, samples: int) -> list[SceneSeries]:
    """The series of the user's scene. Tessellated scenes share one path-traced image; a decimated scene has its own.

    Args:
        own: The scene.
        resolution: Pixels along a side of the path-traced images.
        samples: Paths per pixel; the images are denoised.

    Returns:
        One series.
    """
    images: dict[int, Linear] = {}

    def scene_at(triangles: int) -> tuple[TriangleScene, Linear]:
        scene, shape = own.at(triangles), min(triangles, len(own.scene))
        if shape not in images:
            images[shape] = np.asarray(PathTracer(samples).render(scene, resolution)[0])
        return scene, images[shape]

    return [SceneSeries(Path(own.name).stem, scene_at)]


def _synthetic_pair(
    counts: Sequence[int], seed: int, number: int, resolution: int, samples: int
) -> tuple[SceneSeries, SceneSeries]:
    cache: dict[int, tuple[TriangleScene, Linear]] = {}

    def random_scene(triangles: int) -> tuple[TriangleScene, Linear]:
        if triangles not in cache:
            span = max(MIN_TRIANGLES, int(MIN_DETAIL_SHARE * triangles)), max(MIN_TRIANGLES, triangles)
            options = SceneOptions(span, views=1, split="test")
            scenes = RenderedScenes(seed, options, resolution, DRAFT_TRACER, PathTracer(samples))
            scene, images, _ = scenes(number)
            cache[triangles] = scene, np.asarray(images[0])
        return cache[triangles]

    def tessellated_scene_at(triangles: int) -> tuple[TriangleScene, Linear]:
        scene, image = random_scene(min(counts))
        return tessellated(scene, triangles), image

    def detailed_scene_at(triangles: int) -> tuple[TriangleScene, Linear]:
        scene, image = random_scene(triangles)
        return tessellated(scene, triangles), image

    return SceneSeries("tessellated", tessellated_scene_at, number), SceneSeries("detailed", detailed_scene_at, number)
