"""Channels apart: against three renders of grey scenes by the same weights with channels together.

Light in the scene's own unit: the unit against a slow sum, and pictures that are linear in emission whatever the
network's weights are.
"""

import dataclasses

import pytest
import torch
from torch import Tensor

from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormer, SceneBatch
from rfcli.model.config import RenderFormerConfig
from rfcli.model.transport import USUAL, from_its_unit, in_its_unit, light_unit, scenes_computed
from tests.support.model_scenes import cameras, random_batch, small_model

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


def lamps(scenes: int = 2, seed: int = 0) -> SceneBatch:
    """Random scenes with three coloured lights each; the last triangles of the second are padding."""
    batch = random_batch(scenes, 14, seed)
    assert batch.material is not None
    batch.material[:, :3, 10:] = 30 * torch.rand(scenes, 3, 3, generator=torch.Generator().manual_seed(seed))
    batch.mask[1:, -4:] = False
    return batch


def scaled(batch: SceneBatch, factor: float) -> SceneBatch:
    assert batch.material is not None
    material = batch.material.clone()
    material[..., 10:] *= factor
    return dataclasses.replace(batch, material=material)


def slow_unit(batch: SceneBatch, scene: int) -> Tensor:
    """[3], in float64 and pair by pair."""
    triangles, material = (x[scene][batch.mask[scene]].double() for x in (batch.triangles, batch.constant_material()))
    areas = [torch.linalg.norm(torch.linalg.cross(t[1] - t[0], t[2] - t[0])) / 2 for t in triangles]
    centroids = [t.mean(0) for t in triangles]
    total = torch.zeros(3, dtype=torch.double)
    for area, centroid, one in zip(areas, centroids, material, strict=True):
        squares = [a * (c - centroid).square().sum() for a, c in zip(areas, centroids, strict=True)]
        total += area * one[10:] * sum(areas) / torch.stack(squares).sum()
    return total / USUAL


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_unit_is_flux_over_the_mean_square_of_distance(seed: int) -> None:
    batch = lamps(2, seed)
    expected = torch.stack([slow_unit(batch, scene) for scene in range(2)])
    assert expected.min() > 0.01
    torch.testing.assert_close(light_unit(batch).double(), expected, rtol=1e-4, atol=0)
    textured = dataclasses.replace(batch, material=None, texture=batch.constant_material()[..., None, None])
    torch.testing.assert_close(light_unit(textured), light_unit(batch))


def test_the_unit_is_not_rounded_where_products_are() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = light_unit(lamps())
    assert torch.equal(rounded, light_unit(lamps()))


def test_the_unit_knows_neither_the_scene_s_size_nor_its_place() -> None:
    batch = lamps()
    there = dataclasses.replace(batch, triangles=batch.triangles * 7 + torch.tensor([3.0, -2.0, 1.0]))
    torch.testing.assert_close(light_unit(there), light_unit(batch), rtol=1e-3, atol=0)


def test_a_scene_in_its_unit_has_the_usual_light() -> None:
    batch = lamps()
    for channel in range(3):
        again = light_unit(in_its_unit(batch, light_unit(batch)[:, channel]))
        torch.testing.assert_close(again[:, channel], torch.ones(2), rtol=1e-5, atol=0)
    dark = scaled(batch, 0)
    assert torch.equal(in_its_unit(dark, light_unit(dark)[:, 0]).constant_material(), dark.constant_material())


@pytest.mark.parametrize("unit", [0.0, 1e-3, 0.5, 1.0, 40.0])
def test_light_from_its_unit(unit: float) -> None:
    light = torch.linspace(0, 4.5, 40)
    expected = torch.log10(1 + unit * (10 ** light.double() - 1)).float()
    torch.testing.assert_close(from_its_unit(light, torch.tensor(unit)), expected, rtol=1e-5, atol=1e-6)


def radiance(model: RenderFormer, batch: SceneBatch) -> Tensor:
    with torch.no_grad():
        return model.decode(model(batch, *cameras(2), 16))


@pytest.mark.parametrize("channels", ["together", "apart"])
@pytest.mark.parametrize("attention", ["sdpa", "nearfar", "performer", "hedgehog"])
def test_twice_the_light_is_twice_the_picture(channels: str, attention: str) -> None:
    relative = small_model(light="relative", channels=channels, attention=attention)
    image = radiance(relative, lamps())
    assert image.std() > 0
    for factor in (1e-2, 0.3, 8.0, 300.0):
        torch.testing.assert_close(radiance(relative, scaled(lamps(), factor)), factor * image, rtol=2e-3, atol=1e-4)
    given = small_model(channels=channels, attention=attention)
    off = radiance(given, scaled(lamps(), 8.0)) - 8 * radiance(given, lamps())
    assert off.abs().max() > 0.1 * image.max()


def test_without_light_the_picture_is_black() -> None:
    batch = lamps()
    assert batch.material is not None
    batch.material[..., 12] = 0  # no blue
    image = radiance(small_model(light="relative", channels="apart"), batch)
    assert not image[..., 2].any()
    assert image[..., :2].any()
    assert not radiance(small_model(light="relative"), scaled(batch, 0)).any()


def test_a_grey_scene_in_training_is_a_channel_of_the_picture() -> None:
    """White surfaces without gloss show the light itself, of which the picture holds the mean of three answers."""
    apart = small_model(light="relative", channels="apart")
    batch = lamps()
    assert batch.material is not None
    batch.material[..., 3:6] = 0
    whole, units = scenes_computed(batch, apart.config)
    assert units is not None
    assert len(units) == len(whole.mask) == 6
    for channel in range(3):
        material = batch.material.clone()
        material[..., 0:3] = material[..., channel, None]
        material[..., 10:] = material[..., 10 + channel, None]
        grey = dataclasses.replace(batch, material=material, monochrome=True)
        computed, unit = scenes_computed(grey, apart.config)
        assert unit is not None
        torch.testing.assert_close(unit, units[channel::3])
        torch.testing.assert_close(computed.constant_material(), whole.constant_material()[channel::3])
        torch.testing.assert_close(
            radiance(apart, grey)[..., 0], radiance(apart, batch)[..., channel], rtol=1e-3, atol=1e-4
        )


def test_gradients_are_finite_also_in_the_dark() -> None:
    model = small_model(light="relative", channels="apart").train()
    model(scaled(lamps(), 0), *cameras(2), 16).square().mean().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


def test_it_needs_light_that_arrives_at_surfaces() -> None:
    with pytest.raises(InputError, match="first-hit"):
        RenderFormerConfig(light="relative")
    with pytest.raises(InputError, match="light"):
        RenderFormerConfig(light="absolute")
