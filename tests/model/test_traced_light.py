"""Models whose direct light is traced: exactness of the direct part, and all that other models can do."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import rfcli
from rfcli.errors import InputError
from rfcli.model import RenderFormer, SceneBatch
from rfcli.model.batch import camera_tensors
from rfcli.model.conversion import with_traced_light
from rfcli.model.traced_light import TracedLightStage
from rfcli.scene import EMISSION, TriangleScene
from tests.support.model_scenes import small_model

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def chess() -> TriangleScene:
    return rfcli.load_scene(EXAMPLES / "chess.json")


def traced_model(**changes: object) -> RenderFormer:
    return small_model(**{"channels": "apart", "light": "relative", "direct": "traced", **changes})


def brighter(scene: TriangleScene, factor: float) -> TriangleScene:
    material = scene.material.copy()
    material[:, EMISSION] *= factor
    return dataclasses.replace(scene, material=material)


def test_images_are_linear_in_emission(chess: TriangleScene) -> None:
    model = traced_model()
    image, brighter_image = (model.render(brighter(chess, factor), resolution=32, views=[0]) for factor in (1, 10))
    torch.testing.assert_close(brighter_image, 10 * image, rtol=1e-3, atol=1e-3)


def test_a_scene_without_lights_is_black(chess: TriangleScene) -> None:
    assert traced_model().render(brighter(chess, 0), resolution=32, views=[0]).abs().max() < 1e-6


def test_views_and_batches_equal_single_renders(chess: TriangleScene) -> None:
    model = traced_model()
    scene = rfcli.load_scene(EXAMPLES / "vase.json")
    both = model.render(scene, resolution=32)
    torch.testing.assert_close(both[1:2], model.render(scene, resolution=32, views=[1]), rtol=1e-4, atol=1e-5)
    batch = SceneBatch.from_scenes([chess, scene])
    cameras = [camera_tensors(one) for one in (chess, scene)]
    c2w, fov = (torch.cat([pair[k][:, :1] for pair in cameras]) for k in (0, 1))
    together = rfcli.render(
        model, batch.triangles, batch.vn, c2w, fov, material=batch.material, mask=batch.mask, resolution=32
    )
    torch.testing.assert_close(together[1], both[:1], rtol=1e-3, atol=1e-4)


def test_channels_together_have_the_same_direct_light(chess: TriangleScene) -> None:
    """Direct light does not depend on how the network treats channels and units of light."""
    images = [
        direct_only(traced_model(**changes), chess)
        for changes in ({}, {"channels": "together"}, {"light": "given"}, {"channels": "together", "light": "given"})
    ]
    for image in images[1:]:
        torch.testing.assert_close(image, images[0], rtol=1e-4, atol=1e-5)


def direct_only(model: RenderFormer, scene: TriangleScene, resolution: int = 32) -> Tensor:
    """[1, H, H, 3] the image without the network's prediction and mirrored light."""
    stage = model.view_transformer
    assert isinstance(stage, TracedLightStage)
    batch, (c2w, fov) = SceneBatch.from_scenes(scene), camera_tensors(scene)
    c2w, fov = c2w[:, :1], fov[:, :1]
    with torch.no_grad():
        tokens = model.tokens(model.symmetries.split(batch).batch)
        encoded = model.encode(batch, tokens)
        rays = stage.rays(encoded, c2w, fov, resolution, None, 2)
        none = torch.zeros(1, resolution, resolution, 6)
        return model.decode(stage.to_image(rays, none))


def test_a_trained_model_gets_traced_light() -> None:
    model = small_model()
    traced = with_traced_light(model)
    assert traced.config.direct == "traced"
    assert model.config.direct == "network"
    same = {name: value for name, value in traced.state_dict().items() if name in model.state_dict()}
    changed = {name for name, value in same.items() if not torch.equal(value, model.state_dict()[name])}
    assert changed == {f"view_transformer.pixel_decoder.light.{part}" for part in ("weight", "bias")}


def test_checkpoints_keep_traced_light(tmp_path: Path, chess: TriangleScene) -> None:
    model = traced_model()
    model.save_pretrained(tmp_path)
    loaded = RenderFormer.from_pretrained(tmp_path)
    assert torch.equal(loaded.render(chess, 32, views=[0]), model.render(chess, 32, views=[0]))


def test_traced_light_needs_first_hits() -> None:
    with pytest.raises(InputError, match="direct = 'traced' needs visibility = 'first-hit'"):
        traced_model(visibility="attention", light="given")


def test_gradients_are_finite_in_reduced_precision(chess: TriangleScene) -> None:
    """Geometry is computed in float32 under autocast: direct light is the same."""
    model = traced_model().train()
    batch, (c2w, fov) = SceneBatch.from_scenes(chess), camera_tensors(chess)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scene = model.encode(batch, model.view_independent(batch).float())
        rays = model.view_transformer.rays(scene, c2w, fov, 32, None, 2)
        model.view_dependent(scene, c2w, fov, 32, samples=2).float().square().mean().backward()
    full = model.view_transformer.rays(scene, c2w, fov, 32, None, 2)
    assert torch.equal(rays.traced.direct, full.traced.direct)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    assert any(bool((gradient != 0).any()) for gradient in gradients)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chess", "vase", "still-life", "room-corner", "spiral-stairs", "torus-knot"])
def test_direct_light_equals_a_path_tracer_of_one_bounce(name: str) -> None:
    import mitsuba as mi

    from rfcli.truth.mitsuba_scene import to_mitsuba

    scene, resolution, samples = rfcli.load_scene(EXAMPLES / f"{name}.json"), 48, 8
    world = to_mitsuba(scene, resolution)
    integrator = mi.load_dict({"type": "path", "max_depth": 2, "rr_depth": 100})
    truth = np.array(mi.render(world, integrator=integrator, sensor=0, spp=1024, seed=0))
    model = traced_model()
    stage = model.view_transformer
    batch, (c2w, fov) = SceneBatch.from_scenes(scene), camera_tensors(scene)
    with torch.no_grad():
        encoded = model.encode(batch, model.tokens(model.symmetries.split(batch).batch))
        rays = stage.rays(encoded, c2w[:, :1], fov[:, :1], resolution, None, samples)
        image = model.decode(stage.to_image(rays, torch.zeros(1, resolution, resolution, 6)))[0].numpy()
    display = [np.clip(np.log2(1 + np.maximum(x, 0)), 0, 1) for x in (image, truth)]
    assert -10 * np.log10(((display[0] - display[1]) ** 2).mean()) >= 40
