"""Random scenes that make good pictures: draws are looked at before they are kept."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rfcli.scene import TriangleScene
from rfcli.scene.light_layers import one_light_each
from rfcli.synth.options import SceneOptions
from rfcli.synth.random_scene import draw
from rfcli.synth.rejection import RejectedError

LOOK_RESOLUTION = 32
DARK = 0.02  # mean of log10(1 + radiance) below which a picture counts as unlit
CONSTANT = 0.008  # standard deviation of the same below which it counts as empty

Images = npt.NDArray[np.float32]


class Renderer(Protocol):
    """Anything that turns a scene into images [V, R, R, 3] of linear radiance."""

    def render(self, scene: TriangleScene, resolution: int) -> Images: ...


@dataclass(frozen=True)
class RenderedScenes:
    """Scene and images by index, a pure function of the fields and the index.

    look: a quick renderer; the images by which a draw is judged. final: the renderer of the images that are kept.
    light_layers: render each light by itself, which takes as long as there are lights.
    """

    seed: int
    options: SceneOptions
    resolution: int
    look: Renderer
    final: Renderer
    light_layers: bool = False

    def __call__(self, index: int) -> tuple[TriangleScene, Images, Mapping[str, int]]:
        """Scene, images, and how many draws were rejected before it for each reason.

        Images are [V, R, R, 3], or with light layers [L, V, R, R, 3], whose sum over the lights is the image.
        """
        rejected: Counter[str] = Counter()
        for attempt in range(1000):
            try:
                scene = draw(self.seed, index, attempt, self.options)
                judge(self.look.render(scene, LOOK_RESOLUTION))
            except RejectedError as reason:
                rejected[str(reason)] += 1
            else:
                return scene, self.rendered(scene), rejected
        raise RuntimeError(f"1000 draws of scene {index} were all rejected: {dict(rejected)}.")

    def rendered(self, scene: TriangleScene) -> Images:
        """The images that are kept."""
        if not self.light_layers:
            return self.final.render(scene, self.resolution)
        return np.stack([self.final.render(layer, self.resolution) for layer in one_light_each(scene)])


def judge(images: Images) -> None:
    """Raise RejectedError where one of the pictures [V, R, R, 3] shows too little."""
    level = np.log10(1.0 + np.minimum(images, 2.0)).mean(axis=-1)  # a light in view must not save a dark picture
    if (level.mean(axis=(1, 2)) < DARK).any():
        raise RejectedError("unlit")
    if (level.std(axis=(1, 2)) < CONSTANT).any():
        raise RejectedError("constant image")
