"""What the two stages owe whatever their weights are."""

import dataclasses

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import SceneBatch, render
from rfcli.model.rendering import SAMPLES, render_timed
from tests.support.model_scenes import cameras, random_batch, small_model

VARIANTS = [
    {},
    {"visibility": "attention", "token_position_freqs": None, "turn_to_cam_coord": True},
    {"visibility": "first-hit", "turn_to_cam_coord": True, "key_weight": "count"},
    {"visibility": "attention", "turn_to_cam_coord": False, "key_weight": "normalised", "use_dpt_decoder": False},
    {"view_transformer_use_swin_attn": True, "attention": "performer"},
    {"attention": "nearfar", "attention_options": {"keys": 4}},
    {"pe_type": "nerf", "token_position_freqs": None, "norm_type": "layer_norm", "bias": True, "activation": "gelu"},
    {"pe_type": "nerf", "token_position_freqs": None, "turn_to_cam_coord": True, "attention": "performer"},
    {"view_transformer_latent_dim": 80, "view_transformer_include_self_attn": False, "use_vn_encoder": False},
]


@pytest.mark.parametrize("changes", VARIANTS)
def test_padding_changes_nothing(changes: dict[str, object]) -> None:
    model, batch = small_model(**changes), random_batch(triangles=10)
    c2w, fov = cameras()
    assert batch.material is not None
    padded = SceneBatch(
        torch.nn.functional.pad(batch.triangles, (0, 0, 0, 0, 0, 6)),
        torch.nn.functional.pad(batch.vn, (0, 0, 0, 0, 0, 6)),
        torch.nn.functional.pad(batch.mask, (0, 6)),
        material=torch.nn.functional.pad(batch.material, (0, 0, 0, 6), value=1.0),
    )
    with torch.no_grad():
        alone, beside = (model(scenes, c2w, fov, 32) for scenes in (batch, padded))
    assert alone.std() > 1e-3
    assert torch.allclose(alone, beside, atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS)
def test_order_of_triangles_changes_nothing(changes: dict[str, object]) -> None:
    model, batch = small_model(**changes), random_batch(triangles=15)
    c2w, fov = cameras()
    order = torch.randperm(15, generator=torch.Generator().manual_seed(2))
    assert batch.material is not None
    shuffled = SceneBatch(batch.triangles[:, order], batch.vn[:, order], batch.mask, material=batch.material[:, order])
    with torch.no_grad():
        assert torch.allclose(model(batch, c2w, fov, 32), model(shuffled, c2w, fov, 32), atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS)
def test_scenes_of_a_batch_and_views_do_not_mix(changes: dict[str, object]) -> None:
    model, batch = small_model(**changes), random_batch(scenes=2)
    c2w, fov = cameras(scenes=2, views=3)
    assert batch.material is not None
    with torch.no_grad():
        together = model(batch, c2w, fov, 32)
        second = SceneBatch(batch.triangles[1:], batch.vn[1:], batch.mask[1:], material=batch.material[1:])
        apart = model(second, c2w[1:, 2:], fov[1:, 2:], 32)
    assert torch.allclose(together[1:, 2:], apart, atol=1e-5)


def test_a_material_equals_its_texture() -> None:
    """The collapsed encoder against the full sum over a 13 x 32 x 32 texture."""
    model, batch = small_model(texture_encode_patch_size=32), random_batch()
    assert batch.material is not None
    x = torch.arange(32)
    inside = (x[:, None] + x <= 32).float()
    texture = batch.material[..., None, None] * inside
    textured = SceneBatch(batch.triangles, batch.vn, batch.mask, texture=texture)
    with torch.no_grad():
        assert torch.allclose(model.tokens(batch), model.tokens(textured), rtol=1e-4, atol=1e-5)


def test_first_hit_gives_black_where_nothing_is_and_emission_where_a_light_is() -> None:
    model, batch = small_model(), random_batch(triangles=4)
    c2w, fov = cameras(views=1)
    assert batch.material is not None
    material = batch.material.clone()
    material[..., :6] = 0  # black surfaces show only what they emit
    image = render(model, batch.triangles, batch.vn, c2w, fov, material=material, resolution=64)
    values = torch.unique((image * 1000).round() / 1000)
    quarters = torch.arange(5) * 20.0 / 4  # four rays a pixel: at an edge some meet the light, some nothing
    assert torch.isclose(values[:, None], quarters, atol=1e-2).any(1).all()
    assert {0.0, 20.0} <= set(values.round().tolist())


def test_views_one_by_one_equal_views_together() -> None:
    model, batch = small_model(), random_batch(scenes=2)
    c2w, fov = cameras(scenes=2, views=3)
    image, seconds = render_timed(model, batch, c2w, fov, 32)
    with torch.no_grad():
        scenes = model.lit(batch, model.view_independent(batch))
        together = model.decode(model.view_dependent(scenes, c2w, fov, 32, samples=SAMPLES))
    assert torch.allclose(image, together, rtol=1e-4, atol=1e-4)
    assert len(seconds.view_dependent) == 3


def test_more_of_the_same_surface_changes_nothing_with_area_weights() -> None:
    """Keys weighted by area: a triangle given twice, each of half the area, is one triangle (values and keys equal)."""
    from rfcli.model.attention_context import log_key_weight

    batch = random_batch(triangles=6)
    weights = log_key_weight("area", batch, registers=3)
    assert weights is not None
    assert (weights[0, :4] == 0).all()  # registers and the emitter
    assert torch.exp(weights[0, 4:]).sum() == pytest.approx(1.0, abs=1e-5)
    normalised = log_key_weight("normalised", batch, registers=3)
    assert normalised is not None
    assert torch.exp(normalised[0, 4:]).tolist() == pytest.approx([1 / 5] * 5)
    assert log_key_weight("count", batch, registers=3) is None


@pytest.mark.parametrize("resolution", [0, 30, -8])
def test_resolution_must_be_a_multiple_of_the_patch(resolution: int) -> None:
    with pytest.raises(InputError, match=f"resolution {resolution}"):
        small_model()(random_batch(), *cameras(), resolution)


def test_shapes_that_disagree_are_named() -> None:
    batch = random_batch()
    with pytest.raises(InputError, match="vn has shape"):
        dataclasses.replace(batch, vn=batch.vn[:, :-1])
    with pytest.raises(InputError, match="no triangle"):
        dataclasses.replace(batch, mask=torch.zeros_like(batch.mask))
    with pytest.raises(InputError, match=r"material.*texture"):
        dataclasses.replace(batch, material=None)
    c2w, fov = cameras()
    with pytest.raises(InputError, match="precision 'fp16'"):
        render(small_model(), batch.triangles, batch.vn, c2w, fov, material=batch.material, precision="fp16")
