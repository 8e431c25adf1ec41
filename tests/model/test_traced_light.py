"""Models whose direct light is traced: exactness of the direct part, and all that other models can do."""

import dataclasses
import shutil
import time
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
from rfcli.model.first_hit import FirstHitStage
from rfcli.model.rendering import COMPILERS, compile_views, render_timed
from rfcli.model.scene_light import SceneLight
from rfcli.model.traced_light import TracedLightStage
from rfcli.scene import EMISSION, TriangleScene, geometry
from rfcli.study.scenes.random_triangles import random_triangle_batch, random_triangle_camera
from tests.model.test_shadow_rays import box
from tests.support.model_scenes import small_model

EXAMPLES = Path(__file__).parents[2] / "examples"
MAX_REFLECTED = 3.0  # radiance; what is brighter in examples/ is a lamp


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


def direct_only(model: RenderFormer, scene: TriangleScene, resolution: int = 32, samples: int = 2) -> Tensor:
    """[1, H, H, 3] the image without the network's prediction and mirrored light."""
    stage = model.view_transformer
    assert isinstance(stage, TracedLightStage)
    batch, (c2w, fov) = SceneBatch.from_scenes(scene, model.tri_token.device), camera_tensors(scene)
    c2w, fov = c2w[:, :1], fov[:, :1]
    with torch.no_grad():
        tokens = model.tokens(model.symmetries.split(batch).batch)
        encoded = model.encode(batch, tokens)
        device = model.tri_token.device
        rays = stage.rays(encoded, c2w.to(device), fov.to(device), resolution, None, samples)
        none = torch.zeros(1, resolution, resolution, 6, device=device)
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


def test_padding_may_be_anywhere(chess: TriangleScene) -> None:
    model, (c2w, fov) = traced_model(), camera_tensors(chess)
    plain = SceneBatch.from_scenes(chess)
    garbage = torch.randn(1, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    tensors = {
        "triangles": torch.cat([garbage, plain.triangles], 1),
        "vn": torch.cat([garbage, plain.vn], 1),
        "material": torch.cat([torch.full((1, 5, 13), 9.0), plain.constant_material()], 1),
    }
    mask = torch.arange(5 + len(chess))[None] >= 5
    stage = model.view_transformer
    images = []
    for batch in (plain, SceneBatch(mask=mask, **tensors)):
        scene = model.encode(batch, model.tokens(model.symmetries.split(batch).batch))
        images.append(stage.rays(scene, c2w[:, :1], fov[:, :1], 32, None, 2).traced.direct)  # type: ignore[attr-defined]
    assert torch.equal(*images)


@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="torch.compile needs a C++ compiler")
@pytest.mark.slow
def test_compiled_views_equal_plain_views(chess: TriangleScene) -> None:
    model = traced_model()
    plain = model.render(chess, resolution=32, views=[0])
    compile_views(model)
    torch.testing.assert_close(model.render(chess, resolution=32, views=[0]), plain, rtol=1e-4, atol=1e-4)


@pytest.mark.cuda
@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device: rays are traced on the CPU for tensors there"
)
def test_images_on_cuda_equal_those_on_the_cpu(chess: TriangleScene) -> None:
    model = traced_model()
    expected = direct_only(model, chess)
    torch.testing.assert_close(direct_only(model.cuda(), chess).cpu(), expected, rtol=1e-3, atol=1e-4)
    assert bool(model.render(chess, resolution=32, views=[0]).isfinite().all())


def test_a_lamp_inside_a_mesh_lights_only_the_inside(chess: TriangleScene) -> None:
    """Around each lamp of a scene a closed box: no direct light is left, the lamps themselves stay hidden."""
    lamps = [chess.triangles[number] for number in np.flatnonzero(chess.emitters)]
    boxes = np.concatenate([box(lamp.min(0) - 0.05, lamp.max(0) + 0.05) for lamp in lamps]).astype(np.float32)
    normals = np.repeat(geometry.face_normals(boxes)[:, None], 3, 1).astype(np.float32)
    material = np.zeros((len(boxes), 13), dtype=np.float32)
    material[:, :3] = 0.5
    hidden = dataclasses.replace(
        chess,
        triangles=np.concatenate([chess.triangles, boxes]),
        vn=np.concatenate([chess.vn, normals]),
        material=np.concatenate([chess.material, material]),
    )
    assert float(direct_only(traced_model(), hidden).max()) == 0
    assert float(direct_only(traced_model(), chess).max()) > 0.1


def test_rays_count_to_the_seconds_of_the_view(chess: TriangleScene, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = SceneLight.trace

    def slow(*arguments: object) -> object:
        time.sleep(1)
        return trace(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SceneLight, "trace", slow)
    c2w, fov = camera_tensors(chess)
    _, seconds = render_timed(traced_model(), SceneBatch.from_scenes(chess), c2w[:, :1], fov[:, :1], 32)
    assert seconds.view_dependent[0] >= 1


@pytest.mark.slow
def test_shadow_rays_of_64k_triangles() -> None:
    """From any camera in less than two seconds; time of this process, which other processes do not change much."""
    batch, (c2w, fov) = random_triangle_batch(65536, 0, torch.device("cpu")), random_triangle_camera()
    model = traced_model()
    stage = model.view_transformer
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            light, rays = (
                SceneLight.of(batch, 0),
                FirstHitStage.rays(
                    stage,
                    model.encode(batch, model.tokens(model.symmetries.split(batch).batch)),
                    c2w,
                    fov,
                    256,
                    None,
                    2,
                ),
            )
            start = time.process_time()
            traced = light.trace(rays.surface, rays.hits.seen, c2w[0, :, :3, 3], 2)
            assert time.process_time() - start < 2
    finally:
        torch.set_num_threads(threads)
    assert float(traced.direct.max()) > 0


def path_traced_direct(scene: TriangleScene, resolution: int, paths: int = 1024) -> np.ndarray:
    """[H, H, 3] the first view by a path tracer of one bounce."""
    import mitsuba as mi

    from rfcli.truth.mitsuba_scene import to_mitsuba

    world = to_mitsuba(scene, resolution)
    integrator = mi.load_dict({"type": "path", "max_depth": 2, "rr_depth": 100})
    return np.array(mi.render(world, integrator=integrator, sensor=0, spp=paths, seed=0))


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    display = [np.clip(np.log2(1 + np.maximum(x, 0)), 0, 1) for x in (first, second)]
    return float(-10 * np.log10(((display[0] - display[1]) ** 2).mean()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["chess", "cornell-box", "vase", "still-life", "room-corner", "spiral-stairs", "torus-knot"]
)
def test_direct_light_equals_a_path_tracer_of_one_bounce(name: str) -> None:
    """Except at the edges of lamps, where 8 x 8 rays find their share of a pixel too coarsely for their radiance."""
    scene, resolution = rfcli.load_scene(EXAMPLES / f"{name}.json"), 48
    image = direct_only(traced_model(), scene, resolution, samples=8)[0].numpy()
    # The noise of 1,024 paths to a panel is 37 dB.
    truth = path_traced_direct(scene, resolution, 8192 if name == "cornell-box" else 1024)
    lamp = torch.from_numpy(truth.max(-1) > MAX_REFLECTED).float()[None]
    apart = torch.nn.functional.max_pool2d(lamp, 3, stride=1, padding=1)[0].numpy() == 0
    assert apart.mean() > 0.9
    assert psnr(image[apart], truth[apart]) >= 40


@pytest.mark.slow
def test_three_hundred_lamps(chess: TriangleScene) -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform((-0.9, -0.9, 0.8), (0.4, 0.4, 1.3), (300, 3))[:, None]
    lamps = (centres + rng.uniform(-0.02, 0.02, (300, 3, 3))).astype(np.float32)
    material = np.zeros((300, 13), dtype=np.float32)
    material[:, EMISSION] = rng.uniform(20, 80, (300, 1))
    dark = ~chess.emitters
    scene = dataclasses.replace(
        chess,
        triangles=np.concatenate([chess.triangles[dark], lamps]),
        vn=np.concatenate([chess.vn[dark], np.repeat(geometry.face_normals(lamps)[:, None], 3, 1)]).astype(np.float32),
        material=np.concatenate([chess.material[dark], np.round(material, -1)]),
    )
    image = direct_only(traced_model(), scene, 48, samples=8)[0].numpy()
    assert psnr(image, path_traced_direct(scene, 48)) >= 33
