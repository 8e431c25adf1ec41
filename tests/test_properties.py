"""What holds for any scene, looked for by Hypothesis."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rfcli
from rfcli.errors import InputError
from rfcli.model import RenderFormer, SceneBatch
from rfcli.model.rendering import render_timed
from rfcli.pictures.renderers import NetworkRenderer
from rfcli.scene import EMISSION, FLAT_NORMAL, NORMAL, TriangleScene, load, save
from rfcli.scene.geometry import look_at
from rfcli.scene.limits import MAX_RADIANCE
from tests.support.model_scenes import small_model

EXACT = ("triangles", "vn", "c2w", "fov")
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def scenes(draw: st.DrawFn, extent: float = 0.5, brightest: float = MAX_RADIANCE) -> TriangleScene:
    """Any scene that a file may hold: triangles with and without area, some of them twice, lights of any strength."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, views = draw(st.integers(1, 24)), draw(st.integers(1, 2))
    size = 10.0 ** draw(st.floats(-9, 0.3))
    corners = rng.uniform(-extent, extent, (count, 1, 3)) + size * rng.uniform(-extent, extent, (count, 3, 3))
    for degenerate in draw(st.lists(st.integers(0, count - 1), max_size=3)):
        corners[degenerate] = corners[degenerate, rng.integers(0, 3)]
    if draw(st.booleans()):
        corners[-1] = corners[0]
    normals = rng.normal(size=(count, 3, 3))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    if draw(st.booleans()):
        normals[0] = 0
    material = rng.uniform(0, 1, (count, 13))
    material[:, NORMAL] = FLAT_NORMAL
    lights = np.array(draw(st.lists(st.floats(0, brightest, width=32), min_size=count, max_size=count)))
    material[:, EMISSION] = lights[:, None] * rng.integers(0, 2, (count, 1))
    cameras = [look_at(tuple(rng.uniform(-2, 2, 3)), tuple(rng.uniform(-0.2, 0.2, 3)), (0, 0, 1)) for _ in range(views)]
    fov = rng.uniform(10, 120, views)
    return TriangleScene(corners, normals, material, np.stack(cameras), fov)


@pytest.fixture(scope="module", params=["first-hit", "attention"])
def model(request: pytest.FixtureRequest) -> RenderFormer:
    return small_model(visibility=request.param)


def drawn(model: RenderFormer, scene: TriangleScene) -> np.ndarray:
    """[V, 16, 16, 3] as rf render writes it."""
    return np.stack([picture.image for picture in NetworkRenderer("small", model).draw(scene, 16)])


@few
@given(scenes())
def test_save_and_load_is_the_identity(scene: TriangleScene) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.h5"
        save(scene, path)
        again = load(path)
        for name in (*EXACT, "material"):
            np.testing.assert_array_equal(getattr(again, name), getattr(scene, name))


@few
@given(scenes(brightest=65504.0))
def test_the_official_layout_keeps_half_precision(scene: TriangleScene) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.h5"
        rfcli.save_scene(scene, path, official=True)
        again = rfcli.load_scene(path)
        np.testing.assert_array_equal(again.material, scene.material.astype(np.float16).astype(np.float32))
        for name in EXACT:
            np.testing.assert_array_equal(getattr(again, name), getattr(scene, name))


@few
@given(scene=scenes())
def test_any_scene_that_loads_renders_finite_light(model: RenderFormer, scene: TriangleScene) -> None:
    image = drawn(model, scene)
    assert np.isfinite(image).all()
    assert (image >= 0).all()


def assert_same(image: np.ndarray, other: np.ndarray) -> None:
    """Up to rounding: of the tokens, and of which of two pixels an edge falls into."""
    off = np.abs(np.log10(1 + image) - np.log10(1 + other)) > 1e-3
    assert off.mean() <= 0.02, off.mean()


@few
@given(scene=scenes(brightest=1e4), seed=st.integers(0, 2**32 - 1))
def test_the_order_of_triangles_changes_nothing(model: RenderFormer, scene: TriangleScene, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(scene))
    turned = {name: getattr(scene, name)[order] for name in ("triangles", "vn", "material")}
    if len(np.unique(scene.triangles, axis=0)) == len(scene):  # which of two coincident triangles is seen is not said
        assert_same(drawn(model, dataclasses.replace(scene, **turned)), drawn(model, scene))


@few
@given(scene=scenes(brightest=1e4), extra=st.integers(1, 30))
def test_padding_changes_nothing(model: RenderFormer, scene: TriangleScene, extra: int) -> None:
    def image(padding: int) -> torch.Tensor:
        rng = np.random.default_rng(0)
        arrays = {
            name: torch.from_numpy(np.concatenate([array, rng.normal(size=(padding, *array.shape[1:]))]))[None].float()
            for name, array in (("triangles", scene.triangles), ("vn", scene.vn), ("material", abs(scene.material)))
        }
        arrays["material"] = arrays["material"].abs()
        mask = torch.arange(len(scene) + padding)[None] < len(scene)
        batch = SceneBatch(arrays["triangles"], arrays["vn"], mask, material=arrays["material"])
        c2w, fov = torch.from_numpy(scene.c2w)[None], torch.from_numpy(scene.fov)[None]
        return render_timed(model, batch, c2w, fov, 16)[0]

    assert_same(image(extra).numpy(), image(0).numpy())


@few
@given(scene=scenes(brightest=1e4), seed=st.integers(0, 2**32 - 1))
def test_a_rigid_motion_of_scene_and_cameras_moves_only_what_it_must(scene: TriangleScene, seed: int) -> None:
    """Without RoPE in the world, without normals: what is left lives in camera space, and does not move with it."""
    model = small_model(visibility="attention", turn_to_cam_coord=True, use_vn_encoder=False, token_position_freqs=None)
    model.transformer.rope_emb.freqs.zero_()
    rng = np.random.default_rng(seed)
    turn, shift = np.linalg.qr(rng.normal(size=(3, 3)))[0], rng.normal(size=3)
    turn *= np.sign(np.linalg.det(turn))
    c2w = scene.c2w.astype(np.float64).copy()
    c2w[:, :3] = turn @ c2w[:, :3]
    c2w[:, :3, 3] += shift
    moved = dataclasses.replace(
        scene, triangles=scene.triangles @ turn.T + shift, vn=scene.vn @ turn.T, c2w=c2w.astype(np.float32)
    )
    assert_same(drawn(model, moved), drawn(model, scene))


@few
@given(st.binary(max_size=300))
def test_any_bytes_as_a_scene_are_a_scene_or_a_sentence(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("json", "h5"):
            path = Path(folder) / f"scene.{suffix}"
            path.write_bytes(content)
            with pytest.raises(InputError):
                load(path)
