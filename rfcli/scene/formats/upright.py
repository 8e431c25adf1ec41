"""The vertical axis of a mesh: what programs write in its format, unless the mesh stands clearly better on the other.

Cues of upright orientation are those of Fu et al. (ACM Transactions on Graphics 27, 2008): what stands has a wide
support below its centre, and left and right alike, but rarely top and bottom.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

from rfcli.scene.formats.contents import Contents, Floats, Part
from rfcli.scene.geometry import triangle_areas

Axis = Literal["y", "z"]

SPECIFIED = (".glb", ".gltf")  # formats whose specification says which axis is up
SUPPORT_HEIGHT = 0.01  # of the longest side: vertices this near to the lowest one support the mesh
SYMMETRIC = 0.04  # of the longest side: a mirrored point this near to the surface lies on it
POINTS = 4000  # on the surface, for symmetry
SYMMETRY_WEIGHT = 0.5  # of the difference in symmetry, beside the difference in support
CLEARLY_BETTER = 0.2  # advantage that the other axis needs
THIN = 0.25  # a mesh lower than this share of its depth lies flat already, and is not stood on its edge


@dataclass(frozen=True)
class Stance:
    """How a mesh stands with one axis up.

    Attributes:
        support: Area on which it stands by its area from above, convex hulls both; 0 if its centre is not above it.
        symmetry: Share of the surface that is where its mirror image, top to bottom, is.
    """

    support: float
    symmetry: float


def with_z_up(contents: Contents, up: Axis) -> Contents:
    """The contents turned so that z is up, from `up`; cameras and lights are not turned."""
    if up == "z":
        return replace(contents, up="z")
    return replace(contents, up="z", parts=[_turned(part) for part in contents.parts])


def vertical_axis(contents: Contents, suffix: str) -> tuple[Axis, str]:
    """The vertical axis of an object, and a sentence that says why and how to change it.

    Args:
        contents: What the file says; `up` is the axis that its format usually has.
        suffix: Of the file.

    Returns:
        The axis, and the sentence; "" where the format's specification determines the axis.
    """
    usual = contents.up
    if suffix.lower() in SPECIFIED:
        return usual, ""
    other: Axis = "z" if usual == "y" else "y"
    corners = np.concatenate([part.vertices[part.faces] for part in contents.parts])
    stances = {"y": stance(corners, 1), "z": stance(corners, 2)}
    y_size, z_size = np.ptp(corners.reshape(-1, 3), axis=0)[1:]
    height, depth = (y_size, z_size) if usual == "y" else (z_size, y_size)
    advantage = stances[other].support - stances[usual].support
    advantage += SYMMETRY_WEIGHT * (stances[usual].symmetry - stances[other].symmetry)
    if advantage > CLEARLY_BETTER and height >= THIN * depth and depth > 0:
        return other, f"{other} is taken as up, on which the mesh stands better; `up` {usual} changes it."
    return usual, f"{usual} is taken as up, as usual in {suffix.lower()} files; `up` {other} changes it."


def stance(corners: Floats, axis: int) -> Stance:
    """How triangles [F, 3, 3] stand with a coordinate axis up."""
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    scaled = (corners - (low + high) / 2) / ((high - low).max() or 1.0)
    return Stance(_support(scaled, axis), _symmetry(scaled, axis))


def _support(corners: Floats, axis: int) -> float:
    areas, points = triangle_areas(corners), corners.reshape(-1, 3)
    if not areas.any():
        return 0.0
    flat = np.delete(points, axis, axis=1)
    below = points[:, axis] <= points[:, axis].min() + SUPPORT_HEIGHT
    centre = np.delete(np.average(corners.mean(axis=1), axis=0, weights=areas), axis)
    try:
        base, whole = ConvexHull(flat[below]), ConvexHull(flat)
    except (QhullError, ValueError):  # too few points, or all on a line
        return 0.0
    inside = (base.equations[:, :2] @ centre + base.equations[:, 2] <= 0).all()
    return float(base.volume / whole.volume) if inside else 0.0  # of a plane hull, `volume` is the area


def _symmetry(corners: Floats, axis: int) -> float:
    areas = triangle_areas(corners)
    rng = np.random.default_rng(0)
    face = np.searchsorted(np.cumsum(areas), (np.arange(POINTS) + 0.5) / POINTS * areas.sum())
    u, v = rng.random((2, POINTS, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    a, b, c = np.moveaxis(corners[np.minimum(face, len(corners) - 1)], 1, 0)
    points = a + u * (b - a) + v * (c - a)
    mirrored = points.copy()
    mirrored[:, axis] *= -1
    distance, _ = cKDTree(points).query(mirrored)
    return float((distance < SYMMETRIC).mean())


def _turned(part: Part) -> Part:
    """The part with its +y turned to +z."""

    def turned(vectors: Floats) -> Floats:
        return vectors[:, [0, 2, 1]] * (1, -1, 1)

    return replace(part, vertices=turned(part.vertices), normals=None if part.normals is None else turned(part.normals))
