"""Areas, normals, intersections and look-at matrices against closed forms and linear solves."""

import numpy as np
import pytest
import trimesh

from rfcli.errors import InputError
from rfcli.scene.geometry import face_normals, first_hits, intersect, look_at, triangle_areas


def test_areas_and_normals_match_trimesh() -> None:
    mesh = trimesh.creation.icosphere(1)
    np.testing.assert_allclose(triangle_areas(mesh.triangles), mesh.area_faces)
    np.testing.assert_allclose(face_normals(mesh.triangles), mesh.face_normals, atol=1e-12)


def test_areas_and_normals_keep_the_precision() -> None:
    triangles = np.eye(3, dtype=np.float32)[None]
    assert triangle_areas(triangles).dtype == face_normals(triangles).dtype == np.float32


def test_a_triangle_without_area_has_normal_0() -> None:
    assert (face_normals(np.ones((1, 3, 3))) == 0).all()


def solved_hit(origin: np.ndarray, ray: np.ndarray, triangles: np.ndarray) -> tuple[float, bool, int]:
    """Nearest hit by solving origin + t ray = a + u (b - a) + v (c - a) for each triangle."""
    best, front, nearest = np.inf, False, -1
    for i, (a, b, c) in enumerate(triangles):
        t, u, v = np.linalg.solve(np.stack([-ray, b - a, c - a], axis=1), origin - a)
        if t > 0 and u >= 0 and v >= 0 and u + v <= 1 and t < best:
            best, front, nearest = t, float(np.cross(b - a, c - a) @ ray) < 0, i
    return best, front, nearest


def random_triangles(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(30, 1, 3)) * 2 + rng.normal(size=(30, 3, 3)) * 0.7


def test_first_hits_match_a_linear_solve() -> None:
    rng = np.random.default_rng(0)
    triangles, origin, rays = random_triangles(rng), np.array([0.1, -0.2, 0.3]), rng.normal(size=(60, 3))
    distance, front, nearest = first_hits(origin, rays, triangles)
    hits = 0
    for i, ray in enumerate(rays):
        t, side, triangle = solved_hit(origin, ray, triangles)
        assert distance[i] == pytest.approx(t)
        assert not np.isfinite(t) or (front[i] == side and nearest[i] == triangle)
        hits += bool(np.isfinite(t))
    assert 10 < hits < 60


def test_parallel_rays_from_many_points_match_rays_one_by_one() -> None:
    rng = np.random.default_rng(1)
    triangles, origins, direction = random_triangles(rng), rng.normal(size=(400, 3)), np.array([[0.3, 0.1, 0.9]])
    distance, facing = intersect(origins, direction, triangles)
    assert distance.shape == facing.shape == (400, 30)
    assert 50 < np.isfinite(distance).sum() < 1000
    for i, origin in enumerate(origins):
        one, side, _ = first_hits(origin, direction, triangles)
        assert distance[i].min() == one[0]
        assert not np.isfinite(one[0]) or (facing[i, distance[i].argmin()] > 0) == side[0]


def test_look_at_from_the_front() -> None:
    expected = [[1, 0, 0, 0], [0, 0, -1, -2], [0, 1, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(look_at((0, -2, 0), (0, 0, 0)), expected, atol=1e-15)


def test_look_at_is_a_rigid_motion_that_faces_the_target() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        position, target, up = random.normal(size=(3, 3))
        c2w = look_at(position, target, up)
        np.testing.assert_allclose(c2w[:3, :3].T @ c2w[:3, :3], np.eye(3), atol=1e-12)
        assert np.linalg.det(c2w[:3, :3]) == pytest.approx(1)
        seen = np.linalg.inv(c2w) @ [*target, 1]
        np.testing.assert_allclose(seen[:3], [0, 0, -np.linalg.norm(target - position)], atol=1e-12)
        assert c2w[:3, 1] @ up > 0
        assert c2w[:3, 0] @ up == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("up", [(0, 1, 0), (0, 0, 0)])
def test_look_at_refuses_an_up_along_the_view(up: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="up"):
        look_at((0, -2, 0), (0, 0, 0), up)


def test_look_at_refuses_a_target_at_the_camera() -> None:
    with pytest.raises(InputError, match="look_at"):
        look_at((1, 2, 3), (1, 2, 3 + 1e-9))
