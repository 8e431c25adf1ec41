"""Rays against the triangles of a scene: visibility between points, and the first triangle on a ray.

Embree traces the rays (Wald et al., ACM Transactions on Graphics 33, 2014) where its package has a wheel for the
platform; elsewhere every ray is tested against every triangle in torch, which also serves as the reference in tests.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

RAYS_PER_CALL = 1 << 20  # bounds the memory of one call
TESTS_PER_CHUNK = 1 << 22  # ray-triangle tests at once, without Embree
END_GAP = 1e-3  # share of a segment, at its end, in which nothing blocks it: the target's own surface


@dataclass(frozen=True)
class RayHits:
    """First hits of R rays.

    Attributes:
        triangle: [R] int64, -1 where a ray hits nothing.
        barycentric: [R, 3] weights of the triangle's vertices, 0 where nothing is hit.
        distance: [R] in lengths of the direction, infinite where nothing is hit.
    """

    triangle: npt.NDArray[np.int64]
    barycentric: Floats
    distance: Floats


class RayCaster(Protocol):
    """Traces rays through one scene."""

    def occluded(self, origins: Floats, targets: Floats) -> npt.NDArray[np.bool_]:
        """[R] whether a triangle lies between origins [R, 3] and targets [R, 3]."""
        ...

    def first_hits(self, origins: Floats, directions: Floats) -> RayHits:
        """First hits of rays from origins [R, 3] along directions [R, 3]."""
        ...


def ray_caster(triangles: Floats) -> RayCaster:
    """The fastest ray caster that is installed.

    Args:
        triangles: [N, 3, 3] vertex positions.

    Returns:
        A caster for these triangles.
    """
    try:
        return EmbreeCaster(triangles)
    except ImportError:
        return ExhaustiveCaster(triangles)


class EmbreeCaster:
    """Embree's bounding volume hierarchy, on the CPU."""

    def __init__(self, triangles: Floats) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self._scene: Any = EmbreeScene()
        self._mesh: Any = TriangleMesh(self._scene, np.ascontiguousarray(triangles, dtype=np.float32))

    def occluded(self, origins: Floats, targets: Floats) -> npt.NDArray[np.bool_]:
        """[R] whether a triangle lies between origins [R, 3] and targets [R, 3]."""
        blocked = np.empty(len(origins), dtype=np.bool_)
        for start in range(0, len(origins), RAYS_PER_CALL):
            part = slice(start, start + RAYS_PER_CALL)
            origin = np.ascontiguousarray(origins[part], dtype=np.float32)
            direction = np.ascontiguousarray(targets[part], dtype=np.float32) - origin
            reach = np.full(len(origin), 1 - END_GAP, dtype=np.float32)
            blocked[part] = self._scene.run(origin, direction, dists=reach, query="OCCLUDED") >= 0
        return blocked

    def first_hits(self, origins: Floats, directions: Floats) -> RayHits:
        """First hits of rays from origins [R, 3] along directions [R, 3]."""
        if not len(origins):
            return RayHits(np.empty(0, np.int64), np.empty((0, 3), np.float32), np.empty(0, np.float32))
        found = self._scene.run(
            np.ascontiguousarray(origins, dtype=np.float32),
            np.ascontiguousarray(directions, dtype=np.float32),
            output=1,
        )
        triangle = found["primID"].astype(np.int64)
        hit = triangle >= 0
        u, v = np.where(hit, found["u"], 0), np.where(hit, found["v"], 0)
        barycentric = np.stack([np.where(hit, 1 - u - v, 0), u, v], -1).astype(np.float32)
        return RayHits(triangle, barycentric, np.where(hit, found["tfar"], np.inf).astype(np.float32))


class ExhaustiveCaster:
    """Every ray against every triangle (Moeller and Trumbore 1997), in float64."""

    def __init__(self, triangles: Floats) -> None:
        self._triangles = np.asarray(triangles, dtype=np.float64)

    def occluded(self, origins: Floats, targets: Floats) -> npt.NDArray[np.bool_]:
        """[R] whether a triangle lies between origins [R, 3] and targets [R, 3]."""
        directions = np.asarray(targets, np.float64) - np.asarray(origins, np.float64)
        hits = self.first_hits(origins, directions.astype(np.float64))  # type: ignore[arg-type]
        return hits.distance < 1 - END_GAP

    def first_hits(self, origins: Floats, directions: Floats) -> RayHits:
        """First hits of rays from origins [R, 3] along directions [R, 3]."""
        parts = []
        step = max(1, TESTS_PER_CHUNK // max(1, len(self._triangles)))
        for start in range(0, len(origins), step):
            part = slice(start, start + step)
            parts.append(self._chunk(np.asarray(origins[part], np.float64), np.asarray(directions[part], np.float64)))
        if not parts:
            return RayHits(np.empty(0, np.int64), np.empty((0, 3), np.float32), np.empty(0, np.float32))
        return RayHits(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _chunk(self, origins: npt.NDArray[np.float64], directions: npt.NDArray[np.float64]) -> tuple[Any, Any, Any]:
        import torch

        o, d, t = (torch.from_numpy(x) for x in (origins, directions, self._triangles))
        a, edge1, edge2 = t[:, 0], t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]
        p = torch.linalg.cross(d[:, None], edge2[None])
        determinant = (edge1[None] * p).sum(-1)
        inverse = torch.where(determinant.abs() > 1e-300, 1 / determinant, torch.inf)
        s = o[:, None] - a[None]
        u = (s * p).sum(-1) * inverse
        q = torch.linalg.cross(s, edge1[None].expand_as(s))
        v = (d[:, None] * q).sum(-1) * inverse
        distance = (edge2[None] * q).sum(-1) * inverse
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0) & torch.isfinite(inverse)
        nearest, triangle = torch.where(hit, distance, torch.inf).min(1)
        found = torch.isfinite(nearest)
        rows = torch.arange(len(o))
        u, v = u[rows, triangle], v[rows, triangle]
        weights = torch.where(found[:, None], torch.stack([1 - u - v, u, v], -1), 0.0)
        return (
            torch.where(found, triangle, -1).numpy(),
            weights.float().numpy(),
            nearest.float().numpy(),
        )
