"""Embree against the exhaustive caster, and both against closed forms."""

import numpy as np
import pytest

from rfcli.scene.ray_casting import EmbreeCaster, ExhaustiveCaster, RayCaster, ray_caster

CASTERS = [EmbreeCaster, ExhaustiveCaster]


def random_triangles(count: int, size: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((count, 1, 3)) - 0.5 + size * (rng.random((count, 3, 3)) - 0.5)).astype(np.float32)


def random_rays(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return ((rng.random((count, 3)) - 0.5).astype(np.float32), (rng.random((count, 3)) - 0.5).astype(np.float32))


@pytest.mark.parametrize(("count", "size"), [(1, 1.0), (40, 0.5), (700, 0.1)])
def test_embree_agrees_with_every_triangle_tested(count: int, size: float) -> None:
    triangles = random_triangles(count, size, seed=count)
    origins, directions = random_rays(3000, seed=1)
    fast, slow = EmbreeCaster(triangles), ExhaustiveCaster(triangles)
    found, expected = fast.first_hits(origins, directions), slow.first_hits(origins, directions)
    same = found.triangle == expected.triangle
    assert same.mean() > 0.999  # rays along an edge may hit either triangle
    assert (expected.triangle >= 0).any()
    np.testing.assert_allclose(found.barycentric[same], expected.barycentric[same], atol=1e-4)
    hit = same & (expected.triangle >= 0)
    np.testing.assert_allclose(found.distance[hit], expected.distance[hit], rtol=1e-4, atol=1e-5)
    assert (fast.occluded(origins, origins + directions) == slow.occluded(origins, origins + directions)).mean() > 0.999


@pytest.mark.parametrize("kind", CASTERS)
def test_a_square_blocks_what_lies_behind_it(kind: type) -> None:
    square = np.array([[(-1, -1, 0), (1, -1, 0), (1, 1, 0)], [(-1, -1, 0), (1, 1, 0), (-1, 1, 0)]], dtype=np.float32)
    caster: RayCaster = kind(square)
    origins = np.array([(0.3, 0.2, 1), (0.3, 0.2, 1), (0.3, 0.2, 1), (2, 0, 1)], dtype=np.float32)
    targets = np.array([(0.3, 0.2, -1), (0.3, 0.2, 0.1), (0.3, 0.2, 0.0), (2, 0, -1)], dtype=np.float32)
    assert caster.occluded(origins, targets).tolist() == [True, False, False, False]  # its own surface does not block
    hits = caster.first_hits(origins, np.tile(np.float32([[0, 0, -2]]), (4, 1)))
    np.testing.assert_allclose(hits.distance[:3], 0.5, rtol=1e-6)
    assert np.isinf(hits.distance[3])
    points = (square[hits.triangle[:3]] * hits.barycentric[:3, :, None]).sum(1)
    np.testing.assert_allclose(points, np.float32([[0.3, 0.2, 0]] * 3), atol=1e-6)


@pytest.mark.parametrize("kind", CASTERS)
def test_no_rays_give_no_hits(kind: type) -> None:
    none = np.empty((0, 3), dtype=np.float32)
    caster: RayCaster = kind(random_triangles(3, 0.5, seed=0))
    assert len(caster.occluded(none, none)) == len(caster.first_hits(none, none).triangle) == 0


def test_without_embree_every_triangle_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "embreex.mesh_construction", None)
    assert isinstance(ray_caster(random_triangles(3, 0.5, seed=0)), ExhaustiveCaster)
