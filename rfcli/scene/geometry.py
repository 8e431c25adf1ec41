"""Geometry of triangles, rays and cameras in numpy: areas, normals, ray-triangle intersection, look-at matrices."""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError

Floats = npt.NDArray[np.float64]
Precision = TypeVar("Precision", bound=np.floating[Any])

MIN_AREA_TWICE = 1e-30  # twice the area below which a triangle has no normal
MIN_VIEW_DISTANCE = 1e-6  # between a camera and its target: below, the view direction is rounding error


def triangle_areas(triangles: npt.NDArray[Precision]) -> npt.NDArray[Precision]:
    """[N] areas of triangles [N, 3, 3], in their precision."""
    return np.asarray(0.5 * np.linalg.norm(_cross_of_edges(triangles), axis=1))


def face_normals(triangles: npt.NDArray[Precision]) -> npt.NDArray[Precision]:
    """[N, 3] unit normals of triangles [N, 3, 3], by the right-hand rule; 0 where a triangle has no area."""
    cross = _cross_of_edges(triangles)
    return np.asarray(cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), MIN_AREA_TWICE))


def _cross_of_edges(triangles: npt.NDArray[Precision]) -> npt.NDArray[Precision]:
    return np.asarray(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]))


def intersect(origins: Floats, directions: Floats, triangles: Floats) -> tuple[Floats, Floats]:
    """Intersections of rays with triangles, every ray with every triangle (Moeller and Trumbore 1997).

    Args:
        origins: [R, 3] or [1, 3], where the rays start.
        directions: [R, 3] or [1, 3], of any length.
        triangles: [N, 3, 3] corners.

    Returns:
        distance: [R, N] in lengths of the direction, > 0; infinite where the ray misses the triangle.
        facing: [R, N], positive where the ray meets the front, whose corners are in counter-clockwise order.
    """
    edge1, edge2 = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    normal = np.cross(edge1, edge2)
    offset = origins[:, None] - triangles[:, 0]  # [R or 1, N, 3]
    facing = -directions @ normal.T  # [R or 1, N]
    with np.errstate(divide="ignore", invalid="ignore"):  # rays in the plane of a triangle, triangles without area
        distance = np.einsum("rnk,nk->rn", offset, normal) / facing
        moment = np.cross(offset, directions[:, None])  # [R, N, 3]
        u = np.einsum("nk,rnk->rn", edge2, moment) / facing
        v = -np.einsum("nk,rnk->rn", edge1, moment) / facing
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
    return np.where(hit, distance, np.inf), np.broadcast_to(facing, hit.shape)


def first_hits(
    origin: Floats, directions: Floats, triangles: Floats
) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """First triangle on each ray from one point.

    Args:
        origin: [3].
        directions: [R, 3], of any length.
        triangles: [N, 3, 3] corners.

    Returns:
        distance: [R] in lengths of the direction; infinite where the ray meets nothing.
        front: [R] True where the ray meets the front of the triangle.
        triangle: [R] index of the triangle.
    """
    distance, facing = intersect(origin[None], directions, triangles)
    triangle = distance.argmin(axis=1)
    rays = np.arange(len(directions))
    return distance[rays, triangle], facing[rays, triangle] > 0, triangle


def look_at(position: npt.ArrayLike, target: npt.ArrayLike, up: npt.ArrayLike = (0.0, 0.0, 1.0)) -> Floats:
    """Camera-to-world matrix of a camera that looks at a point.

    Args:
        position: [3] of the camera.
        target: [3] point in the centre of the image.
        up: [3] direction that is up in the image.

    Returns:
        [4, 4] with the columns right (+X), up (+Y), backward (+Z; the camera looks down its -Z), position.

    Raises:
        InputError: position and target coincide, or the view direction is parallel to `up`.
    """
    origin = np.asarray(position, dtype=np.float64)
    backward = origin - np.asarray(target, dtype=np.float64)
    distance = float(np.linalg.norm(backward))
    backward /= max(distance, MIN_VIEW_DISTANCE)
    right = np.cross(np.asarray(up, dtype=np.float64), backward)
    length = np.linalg.norm(right)
    if distance < MIN_VIEW_DISTANCE or length <= 1e-9:
        raise InputError(
            "position, look_at and up do not define a view; move look_at away from position, or choose an up that is "
            "not parallel to the view direction."
        )
    right /= length
    c2w = np.eye(4)
    c2w[:3, 0], c2w[:3, 1], c2w[:3, 2], c2w[:3, 3] = right, np.cross(backward, right), backward, origin
    return c2w
