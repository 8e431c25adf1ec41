"""Scenes as batches of equal length: padding, device and number format, and shapes that are refused."""

import dataclasses

import numpy as np
import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import SceneBatch
from rfcli.model.batch import camera_tensors, triangle_areas
from rfcli.model.rendering import render_timed
from rfcli.scene import TriangleScene
from tests.support.model_scenes import cameras, random_batch, random_scene, small_model

LENGTHS = (5, 12, 9)


@pytest.fixture
def scenes() -> list[TriangleScene]:
    return [random_scene(triangles, seed=triangles) for triangles in LENGTHS]


def test_one_scene_is_a_batch_of_one_without_padding(scenes: list[TriangleScene]) -> None:
    batch = SceneBatch.from_scenes(scenes[0])
    assert batch.mask.shape == (1, 5)
    assert batch.mask.all()
    for name in ("triangles", "vn", "material"):
        assert np.array_equal(getattr(batch, name)[0].numpy(), getattr(scenes[0], name))


def test_shorter_scenes_are_padded_with_zeros(scenes: list[TriangleScene]) -> None:
    batch = SceneBatch.from_scenes(scenes)
    assert batch.triangles.shape == (3, 12, 3, 3)
    assert batch.mask.sum(1).tolist() == list(LENGTHS)
    for index, scene in enumerate(scenes):
        assert torch.equal(batch.mask[index], torch.arange(12) < len(scene))
        for name in ("triangles", "vn", "material"):
            array = getattr(batch, name)[index].numpy()
            assert np.array_equal(array[: len(scene)], getattr(scene, name))
            assert not array[len(scene) :].any()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": "apart", "light": "relative"},
        {"visibility": "attention", "token_position_freqs": None, "turn_to_cam_coord": True, "attention": "performer"},
    ],
    ids=str,
)
def test_padded_batch_renders_as_the_scenes_alone(scenes: list[TriangleScene], changes: dict[str, object]) -> None:
    model = small_model(**changes)
    c2w, fov = cameras(len(scenes))
    together = render_timed(model, SceneBatch.from_scenes(scenes), c2w, fov, 16)[0]
    for index, scene in enumerate(scenes):
        alone = render_timed(model, SceneBatch.from_scenes(scene), c2w[:1], fov[:1], 16)[0]
        assert alone.std() > 1e-3
        torch.testing.assert_close(together[index], alone[0], rtol=1e-4, atol=1e-5)


def test_cameras_of_a_scene_are_a_batch_of_one(scenes: list[TriangleScene]) -> None:
    c2w, fov = camera_tensors(scenes[0])
    assert np.array_equal(c2w.numpy(), scenes[0].c2w[None])
    assert np.array_equal(fov.numpy(), scenes[0].fov[None])


def test_moving_converts_geometry_to_float32_and_keeps_the_rest() -> None:
    batch = random_batch()
    assert batch.material is not None
    half = dataclasses.replace(
        batch, triangles=batch.triangles.double(), vn=batch.vn.half(), material=batch.material.half(), monochrome=True
    )
    moved = half.to(torch.device("cpu"))
    assert moved.triangles.dtype == moved.vn.dtype == torch.float32
    assert torch.equal(moved.triangles, batch.triangles)
    assert moved.material is not None
    assert moved.material.dtype == torch.float16
    assert moved.texture is None
    assert moved.monochrome
    assert half.triangles.dtype == torch.float64  # unchanged
    textured = dataclasses.replace(batch, material=None, texture=batch.material[..., None, None])
    assert torch.equal(textured.to(torch.device("cpu")).surface, textured.surface)


def test_emitters_are_real_triangles_with_emission() -> None:
    batch = random_batch(scenes=2, triangles=6)
    batch.mask[1, 0] = False
    expected = torch.zeros(2, 6, dtype=torch.bool)
    expected[0, 0] = True
    assert torch.equal(batch.emitters, expected)
    assert batch.material is not None
    textured = dataclasses.replace(
        batch, material=None, texture=batch.material[..., None, None].expand(-1, -1, -1, 4, 4)
    )
    assert torch.equal(textured.emitters, expected)
    assert torch.equal(textured.constant_material(), batch.material)


def test_areas_match_herons_formula() -> None:
    corners = random_batch(scenes=2, triangles=7).triangles
    sides = (corners - corners.roll(1, -2)).double().norm(dim=-1)
    half = sides.sum(-1) / 2
    expected = (half * (half[..., None] - sides).prod(-1)).sqrt()
    torch.testing.assert_close(triangle_areas(corners).double(), expected, rtol=1e-4, atol=1e-7)


def test_mistakes_name_their_argument() -> None:
    batch = random_batch()
    assert batch.material is not None
    with pytest.raises(InputError, match=r"`vn` has shape \[1, 11, 3, 3\], expected \[1, 12, 3, 3\]"):
        dataclasses.replace(batch, vn=batch.vn[:, :-1])
    with pytest.raises(InputError, match=r"`material` has shape \[1, 11, 13\], expected \[1, 12, channels\]"):
        dataclasses.replace(batch, material=batch.material[:, :-1])
    with pytest.raises(InputError, match=r"`texture` has shape \[1, 12, 13\], expected \[1, 12, channels, P, P\]"):
        dataclasses.replace(batch, material=None, texture=batch.material)
    with pytest.raises(InputError, match="no triangle: its `mask`"):
        dataclasses.replace(batch, mask=torch.zeros_like(batch.mask))
    with pytest.raises(InputError, match=r"either `material` or `texture`"):
        dataclasses.replace(batch, material=None)
    with pytest.raises(InputError, match="`scenes` is empty"):
        SceneBatch.from_scenes([])
    with pytest.raises(InputError, match=r"either `material` or `texture`"):
        dataclasses.replace(batch, texture=batch.material[..., None, None])
