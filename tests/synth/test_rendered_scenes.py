"""Candidates are rejected or accepted by their preview images."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from rfcli.scene import TriangleScene
from rfcli.synth import RenderedScenes, SceneOptions, random_scene
from rfcli.synth.candidates import RejectedError
from rfcli.synth.rendered_scenes import reject_unusable

Images = npt.NDArray[np.float32]


@dataclass
class ScriptedRenderer:
    """A renderer that returns the given images in turn, then good ones."""

    images: list[Images] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def render(self, scene: TriangleScene, resolution: int) -> Images:
        self.sizes.append(resolution)
        return self.images.pop(0) if self.images else gradient(resolution)


def gradient(resolution: int) -> Images:
    return np.tile(np.linspace(0, 1, resolution, dtype=np.float32)[None, :, None, None], (1, 1, resolution, 3))


def test_rejected_candidates_are_counted_and_replaced() -> None:
    black, grey = np.zeros((1, 8, 8, 3), np.float32), np.full((1, 8, 8, 3), 0.5, np.float32)
    preview, final = ScriptedRenderer([black, grey, black]), ScriptedRenderer()
    source = RenderedScenes(3, SceneOptions((256, 300), 1), 16, preview, final)
    scene, images, rejected = source(0)
    assert rejected["unlit"] == 2
    assert rejected["constant image"] == 1
    assert images.shape == (1, 16, 16, 3)
    assert final.sizes == [16]
    plain, _, _ = RenderedScenes(3, SceneOptions((256, 300), 1), 16, ScriptedRenderer(), ScriptedRenderer())(0)
    assert len(scene) != len(plain) or (scene.triangles != plain.triangles).any()


def test_a_dark_image_with_a_visible_light_is_rejected() -> None:
    image = np.zeros((1, 32, 32, 3), np.float32)
    image[0, 3:5, 3:5] = 3000.0
    with pytest.raises(RejectedError, match="unlit"):
        reject_unusable(image)


def test_one_dark_view_rejects_the_scene() -> None:
    good = gradient(32)
    reject_unusable(good)
    with pytest.raises(RejectedError):
        reject_unusable(np.concatenate([good, np.zeros_like(good)]))


def test_each_light_layer_is_rendered() -> None:
    index = next(i for i in range(50) if len(lights_of(random_scene(3, i, SceneOptions((256, 300), 1)))) > 1)
    final = ScriptedRenderer()
    source = RenderedScenes(3, SceneOptions((256, 300), 1), 16, ScriptedRenderer(), final, light_layers=True)
    scene, images, _ = source(index)
    count = len(lights_of(scene))
    assert images.shape == (count, 1, 16, 16, 3)
    assert final.sizes == [16] * count


def lights_of(scene: TriangleScene) -> npt.NDArray[np.float32]:
    return np.unique(scene.material[scene.emitters], axis=0)
