import numpy as np
import pytest

from rfcli.synth.rays import first_hits


def slow_hit(origin: np.ndarray, ray: np.ndarray, triangles: np.ndarray) -> tuple[float, bool, int]:
    """Nearest crossing by solving origin + t ray = a + u (b - a) + v (c - a) for each triangle."""
    best, front, which = np.inf, False, -1
    for i, (a, b, c) in enumerate(triangles):
        t, u, v = np.linalg.solve(np.stack([-ray, b - a, c - a], axis=1), origin - a)
        if t > 1e-6 and u >= 0 and v >= 0 and u + v <= 1 and t < best:
            best, front, which = t, float(np.cross(b - a, c - a) @ ray) < 0, i
    return best, front, which


def test_rays_meet_what_a_linear_solve_says() -> None:
    rng = np.random.default_rng(0)
    triangles = rng.normal(size=(30, 1, 3)) * 2 + rng.normal(size=(30, 3, 3)) * 0.7
    origin = np.array([0.1, -0.2, 0.3])
    rays = rng.normal(size=(60, 3))
    distance, front, nearest = first_hits(origin, rays, triangles)
    hits = 0
    for i, ray in enumerate(rays):
        t, side, which = slow_hit(origin, ray, triangles)
        assert distance[i] == pytest.approx(t)
        assert not np.isfinite(t) or (front[i] == side and nearest[i] == which)
        hits += bool(np.isfinite(t))
    assert 10 < hits < 60
