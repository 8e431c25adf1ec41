"""Light in the scene's own unit: the unit against a slow sum, and pictures that are linear in emission whatever the
network's weights are."""

import dataclasses

import pytest
import torch
from torch import Tensor

from rfcli.errors import InputError
from rfcli.model import RenderFormer, SceneBatch
from rfcli.model.config import RenderFormerConfig
from rfcli.model.transport import USUAL, from_its_unit, in_its_unit, light_unit, scenes_computed
from tests.model.scenes import cameras, random_batch, small_model


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
