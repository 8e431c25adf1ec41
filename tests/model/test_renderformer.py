"""Properties of the network that hold for any weights: padding, order, batches, and first hits."""

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import SceneBatch, render
from rfcli.model.first_hit import FirstHitStage
from rfcli.model.rendering import SUBPIXEL_SAMPLES, render_timed
from rfcli.model.view_dependent import ViewDependentStage
from tests.support.model_scenes import VARIANTS, cameras, random_batch, small_model


@pytest.mark.parametrize("changes", VARIANTS)
def test_padding_does_not_change_the_image(changes: dict[str, object]) -> None:
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
        alone, with_padding = (model(scenes, c2w, fov, 32) for scenes in (batch, padded))
    assert alone.std() > 1e-3
    assert torch.allclose(alone, with_padding, atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS)
def test_order_of_triangles_does_not_change_the_image(changes: dict[str, object]) -> None:
    model, batch = small_model(**changes), random_batch(triangles=15)
    c2w, fov = cameras()
    order = torch.randperm(15, generator=torch.Generator().manual_seed(2))
    assert batch.material is not None
    shuffled = SceneBatch(batch.triangles[:, order], batch.vn[:, order], batch.mask, material=batch.material[:, order])
    with torch.no_grad():
        assert torch.allclose(model(batch, c2w, fov, 32), model(shuffled, c2w, fov, 32), atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS)
def test_scenes_and_views_of_a_batch_are_independent(changes: dict[str, object]) -> None:
    model, batch = small_model(**changes), random_batch(scenes=2)
    c2w, fov = cameras(scenes=2, views=3)
    assert batch.material is not None
    with torch.no_grad():
        together = model(batch, c2w, fov, 32)
        second = SceneBatch(batch.triangles[1:], batch.vn[1:], batch.mask[1:], material=batch.material[1:])
        alone = model(second, c2w[1:, 2:], fov[1:, 2:], 32)
    assert torch.allclose(together[1:, 2:], alone, atol=1e-5)


def test_constant_material_equals_its_texture() -> None:
    """The encoder collapsed to 13 inputs, against the full sum over a 13 x 32 x 32 texture."""
    model, batch = small_model(texture_encode_patch_size=32), random_batch()
    assert batch.material is not None
    x = torch.arange(32)
    inside = (x[:, None] + x <= 32).float()
    texture = batch.material[..., None, None] * inside
    textured = SceneBatch(batch.triangles, batch.vn, batch.mask, texture=texture)
    with torch.no_grad():
        assert torch.allclose(model.tokens(batch), model.tokens(textured), rtol=1e-4, atol=1e-5)


def test_black_surfaces_show_exactly_their_emission() -> None:
    """With first-hit visibility a pixel is black where nothing is hit, and emission where a light is hit."""
    model, batch = small_model(), random_batch(triangles=4)
    c2w, fov = cameras(views=1)
    assert batch.material is not None
    material = batch.material.clone()
    material[..., :6] = 0
    image = render(model, batch.triangles, batch.vn, c2w, fov, material=material, resolution=64)
    values = torch.unique((image * 1000).round() / 1000)
    quarters = torch.arange(5) * 20.0 / 4  # of four rays per pixel at an edge, some hit the light
    assert torch.isclose(values[:, None], quarters, atol=1e-2).any(1).all()
    assert {0.0, 20.0} <= set(values.round().tolist())


def test_views_rendered_one_by_one_equal_views_rendered_together() -> None:
    model, batch = small_model(), random_batch(scenes=2)
    c2w, fov = cameras(scenes=2, views=3)
    image, seconds = render_timed(model, batch, c2w, fov, 32)
    with torch.no_grad():
        scenes = model.encode(batch, model.view_independent(batch))
        together = model.decode(model.view_dependent(scenes, c2w, fov, 32, samples=SUBPIXEL_SAMPLES))
    assert torch.allclose(image, together, rtol=1e-4, atol=1e-4)
    assert len(seconds.view_dependent) == 3


def test_given_visible_triangles_replace_the_z_buffer() -> None:
    model, batch, (c2w, fov) = small_model(), random_batch(), cameras()
    with torch.no_grad():
        scene = model.encode(batch, model.view_independent(batch))
        rays = model.view_transformer.rays(scene, c2w, fov, 16, None, 1)
        visible = rays.hits.triangle.view(1, 2, 16, 16)
        assert torch.equal(model(batch, c2w, fov, 16, visible), model(batch, c2w, fov, 16))
        nothing = model(batch, c2w, fov, 16, torch.full_like(visible, -1))
    assert not nothing.any()


@pytest.mark.parametrize("changes", [{}, {"visibility": "attention"}])
@pytest.mark.parametrize("resolution", [0, 30, -8])
def test_resolution_must_be_a_multiple_of_the_patch_size(resolution: int, changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"`resolution` {resolution} must be a multiple of 8"):
        small_model(**changes)(random_batch(), *cameras(), resolution)


def test_visibility_chooses_the_view_dependent_stage() -> None:
    assert type(small_model(visibility="first-hit").view_transformer) is FirstHitStage
    assert type(small_model(visibility="attention").view_transformer) is ViewDependentStage
