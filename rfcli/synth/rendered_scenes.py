"""Random scenes with their images; candidates with unusable images are rejected."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rfcli.scene import TriangleScene
from rfcli.scene.triangle_scene import split_lights
from rfcli.synth.candidates import RejectedError
from rfcli.synth.random_scene import MAX_CANDIDATES, SceneOptions, candidate_scene

PREVIEW_RESOLUTION = 32
MIN_BRIGHTNESS = 0.012  # mean of log10(1 + radiance) over an image
MIN_CONTRAST = 0.008  # standard deviation of the same

Images = npt.NDArray[np.float32]


class Renderer(Protocol):
    """Renders a scene to images [V, R, R, 3] of linear radiance."""

    def render(self, scene: TriangleScene, resolution: int) -> Images: ...


@dataclass(frozen=True)
class RenderedScenes:
    """Random scenes with their images: a function from the scene's number, determined by the attributes alone.

    Attributes:
        seed: Seed of the scenes.
        options: Options of the scenes.
        resolution: Side of the images in pixels.
        preview: A fast renderer; its images are used to accept or reject a candidate.
        final: The renderer of the returned images.
        light_layers: Render each light by itself; the time is proportional to the number of lights.
    """

    seed: int
    options: SceneOptions
    resolution: int
    preview: Renderer
    final: Renderer
    light_layers: bool = False

    def __call__(self, index: int) -> tuple[TriangleScene, Images, Mapping[str, int]]:
        """Makes one scene.

        Args:
            index: Number of the scene.

        Returns:
            The scene; its images [V, R, R, 3], or with light layers [L, V, R, R, 3], whose sum over the lights is the
            image; and the number of rejected candidates before it, by reason.

        Raises:
            RuntimeError: MAX_CANDIDATES candidates were rejected.
        """
        rejected: Counter[str] = Counter()
        for attempt in range(MAX_CANDIDATES):
            try:
                scene = candidate_scene(self.seed, index, attempt, self.options)
                reject_unusable(self.preview.render(scene, PREVIEW_RESOLUTION))
            except RejectedError as reason:
                rejected[str(reason)] += 1
            else:
                return scene, self._render(scene), rejected
        raise RuntimeError(f"{MAX_CANDIDATES} candidates for scene {index} were all rejected: {dict(rejected)}.")

    def _render(self, scene: TriangleScene) -> Images:
        if not self.light_layers:
            return self.final.render(scene, self.resolution)
        return np.stack([self.final.render(layer, self.resolution) for layer in split_lights(scene)])


def reject_unusable(images: Images) -> None:
    """Raises RejectedError if one of the images [V, R, R, 3] is dark or uniform."""
    level = np.log10(1.0 + np.minimum(images, 2.0)).mean(axis=-1)  # limits the weight of a visible light
    if (level.mean(axis=(1, 2)) < MIN_BRIGHTNESS).any():
        raise RejectedError("unlit")
    if (level.std(axis=(1, 2)) < MIN_CONTRAST).any():
        raise RejectedError("constant image")
