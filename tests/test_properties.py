"""Properties of all scenes, tested by Hypothesis: round trips, finite images, invariances."""

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

EXACT_FIELDS = ("triangles", "vn", "c2w", "fov")
few_examples = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def scenes(
    draw: st.DrawFn, extent: float = 0.5, max_radiance: float = MAX_RADIANCE, min_size: float = 1e-9
) -> TriangleScene:
    """Any valid scene: triangles with and without area, duplicates, lights of any strength."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, views = draw(st.integers(1, 24)), draw(st.integers(1, 2))
    size = 10.0 ** draw(st.floats(np.log10(min_size), 0.3))
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
    lights = np.array(draw(st.lists(st.floats(0, max_radiance, width=32), min_size=count, max_size=count)))
    material[:, EMISSION] = lights[:, None] * rng.integers(0, 2, (count, 1))
    cameras = [look_at(tuple(rng.uniform(-2, 2, 3)), tuple(rng.uniform(-0.2, 0.2, 3)), (0, 0, 1)) for _ in range(views)]
    fov = rng.uniform(10, 120, views)
    return TriangleScene(corners, normals, material, np.stack(cameras), fov)


@pytest.fixture(scope="module", params=["first-hit", "attention"])
def model(request: pytest.FixtureRequest) -> RenderFormer:
    return small_model(visibility=request.param)


def rendered(model: RenderFormer, scene: TriangleScene) -> np.ndarray:
    """[V, 16, 16, 3] as `rf render` writes it."""
    return np.stack([view.image for view in NetworkRenderer("small", model).render(scene, 16)])


@few_examples
@given(scenes())
def test_save_and_load_is_the_identity(scene: TriangleScene) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.h5"
        save(scene, path)
        loaded = load(path)
        for name in (*EXACT_FIELDS, "material"):
            np.testing.assert_array_equal(getattr(loaded, name), getattr(scene, name))


@few_examples
@given(scenes(max_radiance=65504.0))
def test_official_layout_is_exact_to_half_precision(scene: TriangleScene) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.h5"
        rfcli.save_scene(scene, path, official=True)
        loaded = rfcli.load_scene(path)
        np.testing.assert_array_equal(loaded.material, scene.material.astype(np.float16).astype(np.float32))
        for name in EXACT_FIELDS:
            np.testing.assert_array_equal(getattr(loaded, name), getattr(scene, name))


@few_examples
@given(scene=scenes())
def test_images_are_finite_and_not_negative(model: RenderFormer, scene: TriangleScene) -> None:
    image = rendered(model, scene)
    assert np.isfinite(image).all()
    assert (image >= 0).all()


def assert_same(image: np.ndarray, other: np.ndarray) -> None:
    """Equal up to rounding, and up to which of two pixels an edge falls into."""
    differs = np.abs(np.log10(1 + image) - np.log10(1 + other)) > 1e-3
    assert differs.mean() <= 0.02, differs.mean()


@few_examples
@given(scene=scenes(max_radiance=1e4), seed=st.integers(0, 2**32 - 1))
def test_order_of_triangles_does_not_matter(model: RenderFormer, scene: TriangleScene, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(scene))
    permuted = {name: getattr(scene, name)[order] for name in ("triangles", "vn", "material")}
    if len(np.unique(scene.triangles, axis=0)) == len(scene):  # else undefined: coincident triangles
        assert_same(rendered(model, dataclasses.replace(scene, **permuted)), rendered(model, scene))


@few_examples
@given(scene=scenes(max_radiance=1e4), extra=st.integers(1, 30))
def test_padding_does_not_matter(model: RenderFormer, scene: TriangleScene, extra: int) -> None:
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


@few_examples
@given(scene=scenes(max_radiance=1e4, min_size=1e-3), seed=st.integers(0, 2**32 - 1))
def test_rigid_motion_of_scene_and_cameras_does_not_matter(scene: TriangleScene, seed: int) -> None:
    """For a model without RoPE in world space and without normals: the rest is computed in camera space.

    Areas of triangles as small as float32's steps, which are weights of keys, change with the rounding of a motion.
    """
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
    assert_same(rendered(model, moved), rendered(model, scene))


@few_examples
@given(st.binary(max_size=300))
def test_random_bytes_are_refused_with_an_input_error(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("json", "h5"):
            path = Path(folder) / f"scene.{suffix}"
            path.write_bytes(content)
            with pytest.raises(InputError):
                load(path)
