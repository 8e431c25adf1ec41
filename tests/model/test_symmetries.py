"""Symmetries of light transport, which hold for any weights.

Channels apart: images equal those of three monochrome scenes, computed by the same weights with channels together.
Relative light: images are linear in emission, and the unit matches a sum over all pairs of triangles.
"""

import dataclasses

import pytest
import torch
from torch import Tensor

from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormer, SceneBatch
from rfcli.model.batch import COLOURS
from rfcli.model.config import RenderFormerConfig
from rfcli.model.symmetries import (
    TYPICAL_LIGHT,
    LightSymmetries,
    average_channels,
    divide_emission,
    light_unit,
    scale_log_light,
)
from tests.support.model_scenes import SMALL, cameras, random_batch, small_model


def coloured(scenes: int) -> SceneBatch:
    """Random scenes with coloured lights."""
    batch = random_batch(scenes=scenes, triangles=9)
    assert batch.material is not None
    batch.material[:, 0, 10:] = torch.tensor([30.0, 8.0, 0.0])
    return batch


def monochrome(batch: SceneBatch, channel: int) -> SceneBatch:
    """The scenes with the colours of one channel in place of all three."""
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
def encoded(model: RenderFormer, batch: SceneBatch, views: int = 2) -> Tensor:
    """Encoded images [B, V, 16, 16, 3]."""
    c2w, fov = cameras(len(batch.mask), views)
    return model(batch, c2w, fov, 16)  # type: ignore[no-any-return]


@pytest.mark.parametrize("scenes", [1, 2])
@pytest.mark.parametrize("attention", ["sdpa", "nearfar", "performer", "hedgehog"])
def test_channels_apart_equal_three_monochrome_images(scenes: int, attention: str) -> None:
    together, apart = pair(visibility="attention", attention=attention, turn_to_cam_coord=scenes == 2)
    batch = coloured(scenes)
    images = encoded(apart, batch)
    for channel in range(3):
        grey = encoded(together, monochrome(batch, channel)).mean(-1)
        torch.testing.assert_close(images[..., channel], grey, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scenes", [1, 2])
def test_channels_apart_with_first_hits_predict_the_lighting_of_three_monochrome_scenes(scenes: int) -> None:
    """The radiance of white diffuse surfaces is the lighting A, so the image is log10(1 + A), which is averaged."""
    together, apart = pair()
    batch = coloured(scenes)
    assert batch.material is not None
    batch.material[..., 0:3], batch.material[..., 3:6] = 0.0, 0.0
    emits = (encoded(together, batch) > 0).any(-1)
    batch.material[..., 0:3] = 1.0
    images = encoded(apart, batch)
    assert 0 < emits.sum() < emits.numel()
    for channel in range(3):
        grey = encoded(together, monochrome(batch, channel)).mean(-1)
        torch.testing.assert_close(images[..., channel][~emits], grey[~emits], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("visibility", ["attention", "first-hit"])
def test_permuting_channels_of_the_scene_permutes_those_of_the_image(visibility: str) -> None:
    _, apart = pair(visibility=visibility)
    batch = coloured(2)
    assert batch.material is not None
    material = batch.material.clone()
    for colour in COLOURS:
        material[..., colour] = batch.material[..., colour][..., [2, 0, 1]]
    permuted = encoded(apart, dataclasses.replace(batch, material=material))
    torch.testing.assert_close(permuted, encoded(apart, batch)[..., [2, 0, 1]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("visibility", ["attention", "first-hit"])
def test_scenes_known_to_be_monochrome_are_one_network_input(visibility: str) -> None:
    _, apart = pair(visibility=visibility)
    unknown = monochrome(coloured(2), 1)
    known = dataclasses.replace(unknown, monochrome=True)
    with torch.no_grad():
        assert len(apart.view_independent(known)) == 2
        assert len(apart.view_independent(unknown)) == 6
    torch.testing.assert_close(encoded(apart, known), encoded(apart, unknown), rtol=1e-4, atol=1e-5)


def test_channels_of_textures_are_separated_like_those_of_materials() -> None:
    _, apart = pair()
    batch = coloured(1)
    assert batch.material is not None
    texture = dataclasses.replace(batch, material=None, texture=batch.material[..., None, None])
    torch.testing.assert_close(encoded(apart, texture), encoded(apart, batch), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{"include_alpha": True}, {"use_ldr": True}, {"texture_channels": 10}, {"channels": "three"}]
)
def test_channels_apart_needs_radiance_and_13_channels(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(changes))):
        dataclasses.replace(PRESETS["base"], **{"channels": "apart", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(("channels", "light"), [("together", "given"), ("apart", "given"), ("apart", "relative")])
def test_split_and_merge_are_inverse(channels: str, light: str) -> None:
    """If the prediction for every network input were its emission, the merged image would be the scenes' emission."""
    symmetries = LightSymmetries(dataclasses.replace(SMALL, channels=channels, light=light))
    batch = coloured(2)
    inputs = symmetries.split(batch)
    assert inputs.copies == symmetries.copies == (3 if channels == "apart" else 1)
    assert (inputs.unit is None) == (light == "given")
    emission = torch.log10(1 + inputs.batch.constant_material()[..., 10:])
    merged = symmetries.merge(emission[:, None], inputs)  # one view, an image of 1 x N pixels
    assert batch.material is not None
    torch.testing.assert_close(merged[:, 0], torch.log10(1 + batch.material[..., 10:]), rtol=1e-5, atol=1e-6)


def test_published_settings_change_nothing() -> None:
    symmetries, batch = LightSymmetries(RenderFormerConfig()), coloured(2)
    inputs = symmetries.split(batch)
    assert inputs.batch is batch
    assert inputs.unit is None
    image = torch.rand(2, 4, 4, 3)
    assert symmetries.merge(image, inputs) is image
    assert inputs.repeat_views(image, 2) is image


def test_views_are_repeated_in_the_order_of_the_copies() -> None:
    """[B V] views -> [S V]: all views of the first copy of the first scene come first."""
    inputs = LightSymmetries(dataclasses.replace(SMALL, channels="apart")).split(coloured(2))
    assert inputs.repeat_views(torch.tensor([0, 1, 10, 11]), 2).tolist() == [0, 1] * 3 + [10, 11] * 3


def test_average_channels_matches_a_loop() -> None:
    """2 scenes, 3 copies, 2 views, quantities A and S of three channels each."""
    image = torch.rand(2 * 3 * 2, 4, 4, 6, generator=torch.Generator().manual_seed(0))
    mean = average_channels(image, copies=3, views=2)
    for scene in range(2):
        for view in range(2):
            for copy in range(3):
                source = image[6 * scene + 2 * copy + view]
                torch.testing.assert_close(mean[2 * scene + view][..., copy], source[..., :3].mean(-1))
                torch.testing.assert_close(mean[2 * scene + view][..., 3 + copy], source[..., 3:].mean(-1))


def three_lights(scenes: int = 2, seed: int = 0) -> SceneBatch:
    """Random scenes with three coloured lights each; the last triangles of all but the first are padding."""
    batch = random_batch(scenes, 14, seed)
    assert batch.material is not None
    batch.material[:, :3, 10:] = 30 * torch.rand(scenes, 3, 3, generator=torch.Generator().manual_seed(seed))
    batch.mask[1:, -4:] = False
    return batch


def with_scaled_emission(batch: SceneBatch, factor: float) -> SceneBatch:
    assert batch.material is not None
    material = batch.material.clone()
    material[..., 10:] *= factor
    return dataclasses.replace(batch, material=material)


def reference_unit(batch: SceneBatch, scene: int) -> Tensor:
    """The unit [3] of one scene, in float64, by a sum over all pairs of triangles."""
    triangles, material = (x[scene][batch.mask[scene]].double() for x in (batch.triangles, batch.constant_material()))
    areas = [torch.linalg.norm(torch.linalg.cross(t[1] - t[0], t[2] - t[0])) / 2 for t in triangles]
    centroids = [t.mean(0) for t in triangles]
    total = torch.zeros(3, dtype=torch.double)
    for area, centroid, channels in zip(areas, centroids, material, strict=True):
        squares = [a * (c - centroid).square().sum() for a, c in zip(areas, centroids, strict=True)]
        total += area * channels[10:] * sum(areas) / torch.stack(squares).sum()
    return total / TYPICAL_LIGHT


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_unit_is_radiance_times_area_over_mean_squared_distance(seed: int) -> None:
    batch = three_lights(2, seed)
    expected = torch.stack([reference_unit(batch, scene) for scene in range(2)])
    assert expected.min() > 0.01
    torch.testing.assert_close(light_unit(batch).double(), expected, rtol=1e-4, atol=0)
    textured = dataclasses.replace(batch, material=None, texture=batch.constant_material()[..., None, None])
    torch.testing.assert_close(light_unit(textured), light_unit(batch))


def test_unit_is_not_rounded_under_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        unit = light_unit(three_lights())
    assert torch.equal(unit, light_unit(three_lights()))


def test_unit_does_not_depend_on_the_size_and_position_of_the_scene() -> None:
    batch = three_lights()
    moved = dataclasses.replace(batch, triangles=batch.triangles * 7 + torch.tensor([3.0, -2.0, 1.0]))
    torch.testing.assert_close(light_unit(moved), light_unit(batch), rtol=1e-3, atol=0)


def test_scene_divided_by_its_unit_has_unit_one() -> None:
    batch = three_lights()
    for channel in range(3):
        unit = light_unit(divide_emission(batch, light_unit(batch)[:, channel]))
        torch.testing.assert_close(unit[:, channel], torch.ones(2), rtol=1e-5, atol=0)
    dark = with_scaled_emission(batch, 0)
    assert torch.equal(divide_emission(dark, light_unit(dark)[:, 0]).constant_material(), dark.constant_material())


@pytest.mark.parametrize("unit", [0.0, 1e-3, 0.5, 1.0, 40.0])
def test_scaled_log_light_matches_the_formula_in_float64(unit: float) -> None:
    light = torch.linspace(0, 4.5, 40)
    expected = torch.log10(1 + unit * (10 ** light.double() - 1)).float()
    torch.testing.assert_close(scale_log_light(light, torch.tensor(unit)), expected, rtol=1e-5, atol=1e-6)


def radiance(model: RenderFormer, batch: SceneBatch) -> Tensor:
    with torch.no_grad():
        return model.decode(model(batch, *cameras(2), 16))


@pytest.mark.parametrize("channels", ["together", "apart"])
@pytest.mark.parametrize("attention", ["sdpa", "nearfar", "performer", "hedgehog"])
def test_images_are_linear_in_emission_with_relative_light(channels: str, attention: str) -> None:
    relative = small_model(light="relative", channels=channels, attention=attention)
    image = radiance(relative, three_lights())
    assert image.std() > 0
    for factor in (1e-2, 0.3, 8.0, 300.0):
        torch.testing.assert_close(
            radiance(relative, with_scaled_emission(three_lights(), factor)), factor * image, rtol=2e-3, atol=1e-4
        )
    given = small_model(channels=channels, attention=attention)
    error = radiance(given, with_scaled_emission(three_lights(), 8.0)) - 8 * radiance(given, three_lights())
    assert error.abs().max() > 0.1 * image.max()


def test_channels_without_light_are_black() -> None:
    batch = three_lights()
    assert batch.material is not None
    batch.material[..., 12] = 0  # no blue
    image = radiance(small_model(light="relative", channels="apart"), batch)
    assert not image[..., 2].any()
    assert image[..., :2].any()
    assert not radiance(small_model(light="relative"), with_scaled_emission(batch, 0)).any()


def test_monochrome_scene_in_training_is_one_channel_of_the_scene_with_colours() -> None:
    """In training the input is a single channel of a scene; rendering uses all three."""
    apart = small_model(light="relative", channels="apart")
    batch = three_lights()
    assert batch.material is not None
    batch.material[..., 3:6] = 0
    whole = LightSymmetries(apart.config).split(batch)
    assert whole.unit is not None
    assert whole.copies == 3
    assert len(whole.unit) == len(whole.batch.mask) == 6
    for channel in range(3):
        material = batch.material.clone()
        material[..., 0:3] = material[..., channel, None]
        material[..., 10:] = material[..., 10 + channel, None]
        single = dataclasses.replace(batch, material=material, monochrome=True)
        inputs = LightSymmetries(apart.config).split(single)
        assert inputs.unit is not None
        assert inputs.copies == 1
        torch.testing.assert_close(inputs.unit, whole.unit[channel::3])
        torch.testing.assert_close(inputs.batch.constant_material(), whole.batch.constant_material()[channel::3])
        torch.testing.assert_close(
            radiance(apart, single)[..., 0], radiance(apart, batch)[..., channel], rtol=1e-3, atol=1e-4
        )


def test_gradients_of_a_scene_without_light_are_finite() -> None:
    model = small_model(light="relative", channels="apart").train()
    model(with_scaled_emission(three_lights(), 0), *cameras(2), 16).square().mean().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


def test_relative_light_needs_first_hit_visibility() -> None:
    with pytest.raises(InputError, match="first-hit"):
        RenderFormerConfig(light="relative")
    with pytest.raises(InputError, match="light"):
        RenderFormerConfig(light="absolute")
