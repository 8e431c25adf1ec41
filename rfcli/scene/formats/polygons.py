"""Polygons of mesh files as triangles: fans where they are convex, ear clipping where they are not."""

from pathlib import Path

import mapbox_earcut
import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene.formats.contents import Floats, Indices

CONVEX_TOLERANCE = 1e-9  # of the squared longest side: corners that turn inwards by less are rounding errors
MAX_CONCAVE_CORNERS = 1 << 14  # of a concave polygon: ear clipping takes seconds for one that crosses itself


def triangulated(path: Path, vertices: Floats, corners: Indices, sizes: Indices) -> tuple[Indices, Indices]:
    """Triangles of polygons, wound as they are.

    Triangles come in the order of their polygons; if all polygons are quads, their first halves come first, which is
    the order of trimesh and so of the official converter.

    Args:
        path: The file, for messages.
        vertices: [M, 3].
        corners: [K] vertex of each corner, polygon after polygon.
        sizes: [P] number of corners of each polygon, at least 3.

    Returns:
        [F, 3] positions in `corners`, and [F] the polygon of each triangle.

    Raises:
        InputError: A concave polygon has more than MAX_CONCAVE_CORNERS corners.
    """
    starts = np.cumsum(sizes) - sizes
    triangles, owners = [], []
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size)
        local = starts[members][:, None] + np.arange(size)
        if size == 3:
            triangles.append(local)
            owners.append(members)
            continue
        points = vertices[corners[local]]
        inward = inward_corners(points)
        if size == 4:  # a diagonal through the corner that turns inwards, if there is one
            local[inward[:, 1] | inward[:, 3]] = np.roll(local[inward[:, 1] | inward[:, 3]], -1, axis=1)
            triangles.append(local[:, [(0, 1, 2), (2, 3, 0)]].reshape(-1, 3))
            owners.append(np.repeat(members, 2))
            continue
        convex = ~inward.any(axis=1)
        fan = np.array([(0, i, i + 1) for i in range(1, size - 1)])
        triangles.append(local[convex][:, fan].reshape(-1, 3))
        owners.append(np.repeat(members[convex], size - 2))
        if size > MAX_CONCAVE_CORNERS and not convex.all():
            raise InputError(f"{path}: a concave face with {size:,} corners is too large; triangulate the mesh.")
        for polygon in np.flatnonzero(~convex):
            ears = clipped_ears(points[polygon])
            triangles.append(local[polygon][ears])
            owners.append(np.full(len(ears), members[polygon]))
    if not triangles:
        return np.empty((0, 3), np.int64), np.empty(0, np.int64)
    found, owner = np.concatenate(triangles), np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    if (sizes == 4).all() and len(order) == 2 * len(sizes):
        order = np.concatenate([order[::2], order[1::2]])
    return found[order], owner[order]


def inward_corners(points: Floats) -> npt.NDArray[np.bool_]:
    """[P, K] where polygons [P, K, 3] turn against their own sense, seen along their mean normal."""
    with np.errstate(invalid="ignore", over="ignore"):  # vertices that are not finite are refused later
        sides = np.roll(points, -1, axis=1) - points
        turns = np.cross(np.roll(sides, 1, axis=1), sides)
        normal = newell_normals(points)
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
        longest = (sides**2).sum(-1).max(axis=1)
        return np.asarray(np.einsum("pkc,pc->pk", turns, normal) < -CONVEX_TOLERANCE * longest[:, None])


def newell_normals(points: Floats) -> Floats:
    """[P, 3] normals of polygons [P, K, 3], twice their area long (Newell's method)."""
    first = points[:, :1]
    return np.asarray(np.cross(points - first, np.roll(points, -1, axis=1) - first).sum(axis=1))


def clipped_ears(points: Floats) -> Indices:
    """[F, 3] triangles of one polygon [K, 3], by ear clipping in the plane along its normal."""
    normal = newell_normals(points[None])[0]
    normal /= np.linalg.norm(normal)
    across = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    across /= np.linalg.norm(across)
    flat = (points - points[0]) @ np.stack([across, np.cross(normal, across)], axis=1)
    ears = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], dtype=np.uint32)).reshape(-1, 3)
    a, b, c = np.moveaxis(flat[ears], 1, 0)
    clockwise = (b - a)[:, 0] * (c - a)[:, 1] < (b - a)[:, 1] * (c - a)[:, 0]
    ears[clockwise] = ears[clockwise, ::-1]
    return np.asarray(ears, dtype=np.int64)
