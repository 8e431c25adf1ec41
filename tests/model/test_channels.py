"""Channels apart: against three renders of grey scenes by the same weights with channels together."""

import dataclasses

import pytest
import torch
from torch import Tensor

from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormer, SceneBatch
from tests.model.scenes import cameras, random_batch, small_model

COLOURS = (slice(0, 3), slice(3, 6), slice(10, 13))


def coloured(scenes: int) -> SceneBatch:
    """Random scenes whose lights have a colour, too."""
    batch = random_batch(scenes=scenes, triangles=9)
    assert batch.material is not None
    batch.material[:, 0, 10:] = torch.tensor([30.0, 8.0, 0.0])
    return batch


def of_one_channel(batch: SceneBatch, channel: int) -> SceneBatch:
    assert batch.material is not None
    material = batch.material.clone()
    for colour in COLOURS:
        material[..., colour] = batch.material[..., colour][..., channel, None]
    return dataclasses.replace(batch, material=material)


def pair(**changes: object) -> tuple[RenderFormer, RenderFormer]:
    """The same weights with channels together and apart."""
    together = small_model(**changes)
    apart = small_model(**changes, channels="apart")
    apart.load_state_dict(together.state_dict())
    return together, apart


@torch.no_grad()
def drawn(model: RenderFormer, batch: SceneBatch, views: int = 2) -> Tensor:
    c2w, fov = cameras(len(batch.mask), views)
    return model(batch, c2w, fov, 16)  # type: ignore[no-any-return]


@pytest.mark.parametrize("scenes", [1, 2])
@pytest.mark.parametrize("attention", ["sdpa", "nearfar", "performer", "hedgehog"])
def test_of_searched_visibility_an_image_is_three_grey_ones(scenes: int, attention: str) -> None:
    together, apart = pair(visibility="attention", attention=attention, turn_to_cam_coord=scenes == 2)
    batch = coloured(scenes)
    images = drawn(apart, batch)
    for channel in range(3):
        grey = drawn(together, of_one_channel(batch, channel)).mean(-1)
        torch.testing.assert_close(images[..., channel], grey, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scenes", [1, 2])
def test_of_known_visibility_light_is_that_of_three_grey_scenes(scenes: int) -> None:
    """White surfaces without gloss show the light A itself: then the mean over three answers is taken of log10(1 + A),
    which is what the image of a grey scene holds."""
    together, apart = pair()
    batch = coloured(scenes)
    assert batch.material is not None
    batch.material[..., 0:3], batch.material[..., 3:6] = 0.0, 0.0
    shines = (drawn(together, batch) > 0).any(-1)
    batch.material[..., 0:3] = 1.0
    images = drawn(apart, batch)
    assert 0 < shines.sum() < shines.numel()
    for channel in range(3):
        grey = drawn(together, of_one_channel(batch, channel)).mean(-1)
        torch.testing.assert_close(images[..., channel][~shines], grey[~shines], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("visibility", ["attention", "first-hit"])
def test_permuted_channels_permute_the_image(visibility: str) -> None:
    _, apart = pair(visibility=visibility)
    batch = coloured(2)
    assert batch.material is not None
    material = batch.material.clone()
    for colour in COLOURS:
        material[..., colour] = batch.material[..., colour][..., [2, 0, 1]]
    turned = drawn(apart, dataclasses.replace(batch, material=material))
    torch.testing.assert_close(turned, drawn(apart, batch)[..., [2, 0, 1]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("visibility", ["attention", "first-hit"])
def test_what_is_known_to_be_grey_is_computed_once(visibility: str) -> None:
    _, apart = pair(visibility=visibility)
    grey = of_one_channel(coloured(2), 1)
    known = dataclasses.replace(grey, monochrome=True)
    with torch.no_grad():
        assert len(apart.view_independent(known)) == 2
        assert len(apart.view_independent(grey)) == 6
    torch.testing.assert_close(drawn(apart, known), drawn(apart, grey), rtol=1e-4, atol=1e-5)


def test_textures_are_taken_apart_as_materials_are() -> None:
    _, apart = pair()
    batch = coloured(1)
    assert batch.material is not None
    texture = dataclasses.replace(batch, material=None, texture=batch.material[..., None, None])
    torch.testing.assert_close(drawn(apart, texture), drawn(apart, batch), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{"include_alpha": True}, {"use_ldr": True}, {"texture_channels": 10}, {"channels": "three"}]
)
def test_models_of_other_images_cannot_take_them_apart(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(changes))):
        dataclasses.replace(PRESETS["base"], **{"channels": "apart", **changes})  # type: ignore[arg-type]
