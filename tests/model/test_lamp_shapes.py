"""The share of an emitter's light that leaves its lamp, against closed forms of view factors."""

import numpy as np
import pytest
import torch
import trimesh

from rfcli.model import RenderFormer, SceneBatch
from rfcli.model.lamp_shapes import light_leaving_lamps
from rfcli.model.symmetries import light_unit
from tests.support.model_scenes import small_model

SQUARE = np.array([[(0, 0, 0), (1, 0, 0), (1, 1, 0)], [(0, 0, 0), (1, 1, 0), (0, 1, 0)]], dtype=np.float32)


def batch_of(surfaces: np.ndarray, lamps: np.ndarray, albedo: float = 0.5) -> SceneBatch:
    """One scene: surfaces of an albedo, then emitters."""
    corners = torch.from_numpy(np.concatenate([surfaces, lamps]).astype(np.float32))[None]
    material = torch.full((1, corners.shape[1], 13), albedo / 2)
    material[..., 10:] = 0
    material[0, len(surfaces) :, 10:] = 3.0
    return SceneBatch(corners, torch.ones_like(corners), torch.ones(corners.shape[:2], dtype=torch.bool), material)


def share(*lamps: np.ndarray, surfaces: np.ndarray = SQUARE - 9, albedo: float = 0.5) -> torch.Tensor:
    """[T] of the triangles of all lamps."""
    shares = light_leaving_lamps(batch_of(surfaces, np.concatenate(lamps), albedo))
    assert (shares[0, : len(surfaces)] == 1).all()
    return shares[0, len(surfaces) :]


def fine_square() -> np.ndarray:
    square = trimesh.Trimesh(SQUARE.reshape(-1, 3), np.arange(6).reshape(2, 3))
    return np.asarray(square.subdivide().subdivide().subdivide().triangles)


def hemisphere() -> np.ndarray:
    ball = np.asarray(trimesh.creation.icosphere(4).triangles)
    return ball[ball.mean(1)[:, 2] > 0]


@pytest.mark.parametrize("size", [1e-3, 1.0, 50.0])
def test_flat_and_closed_lamps(size: float) -> None:
    turned = SQUARE @ trimesh.transformations.random_rotation_matrix(np.array([0.3, 0.5, 0.7]))[:3, :3].T
    assert (share(size * turned) == 1).all()
    for closed in (trimesh.creation.icosphere(2), trimesh.creation.box((1, 2, 0.1))):
        torch.testing.assert_close(share(size * np.asarray(closed.triangles)), torch.full((len(closed.faces),), 0.5))


def test_open_lamps_of_known_view_factors() -> None:
    # The inner side of a hemisphere sees half of itself; two unit squares at a right angle see 0.2 of one another
    # (Hottel), each on one side.
    assert float(share(hemisphere())[0]) == pytest.approx(0.75, abs=0.01)
    fine = fine_square()
    wall = fine[..., [0, 2, 1]]
    assert float(share(np.concatenate([fine, wall]))[0]) == pytest.approx(0.9, abs=0.01)


def test_lamps_do_not_share() -> None:
    ball = np.asarray(trimesh.creation.icosphere(1).triangles)
    both = share(ball, SQUARE + 3)
    assert (both[: len(ball)] == 0.5).all()
    assert (both[len(ball) :] == 1).all()


@pytest.mark.parametrize(("albedo", "expected"), [(0.0, 0.4), (0.8, 1.0)])
def test_black_housings_take_light_and_other_walls_do_not(albedo: float, expected: float) -> None:
    # One side is covered, the other sees a parallel unit square at distance 1: view factor 0.1998.
    covering, opposite = np.array([0, 0, 1e-3]), np.array([0, 0, -1])
    walls = np.concatenate([np.add(SQUARE, covering), np.add(SQUARE, opposite)])
    assert float(share(fine_square(), surfaces=walls, albedo=albedo)[0]) == pytest.approx(expected, abs=0.01)


def test_a_closed_lamp_gives_the_network_half_the_light_of_its_triangles() -> None:
    ball = np.asarray(trimesh.creation.icosphere(2, 0.1).triangles)
    batch = batch_of(4 * SQUARE - [2, 2, 1], ball)
    model: RenderFormer = small_model(light="relative", visibility="first-hit", channels="apart")
    unit = model.symmetries.split(batch).unit
    assert unit is not None
    torch.testing.assert_close(unit, light_unit(batch)[0] / 2)


def test_reflectance_of_emitters_does_not_matter() -> None:
    batch = batch_of(4 * SQUARE - [2, 2, 1], SQUARE - [0.5, 0.5, -1])
    other = batch_of(4 * SQUARE - [2, 2, 1], SQUARE - [0.5, 0.5, -1])
    assert other.material is not None
    other.material[0, 2:, :7] = torch.rand(2, 7, generator=torch.Generator().manual_seed(0))
    model = small_model(light="relative", visibility="first-hit", channels="apart").eval()
    with torch.no_grad():
        torch.testing.assert_close(model.view_independent(other), model.view_independent(batch))
