"""Scenes that are no mistake, but whose pictures will be black or show nothing: told before they are waited for."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rfcli.scene.triangle_scene import TriangleScene

NO_AREA = 1e-12  # of a light: a square of a micrometre in a scene of a metre
LOOKS = 26  # directions, spread over the sphere, in which a camera must see backs of triangles only
BLOCK = 1 << 16  # triangles that are intersected at a time

Floats = npt.NDArray[np.float64]


def pitfalls(scene: TriangleScene, cameras: Sequence[int]) -> list[str]:
    """A sentence for each: no light, lights without area, and those of the cameras that are inside something."""
    emits = scene.emitters
    flat = int((areas(scene.triangles[emits].astype(np.float64)) <= NO_AREA).sum())
    found = []
    if not emits.any():
        found.append("Nothing emits light: the picture will be black.")
    elif flat == emits.sum():
        found.append("None of the lights has an area: the picture will be black; make them larger.")
    elif flat:
        found.append(f"Light triangles without area, which give no light: {flat:,} of {emits.sum():,}.")
    inside = [str(number) for number in cameras if is_inside(scene, scene.c2w[number, :3, 3].astype(np.float64))]
    if inside:
        which = ", ".join(inside)
        found.append(f"Only backs of triangles are seen, on all sides, by camera {which}: move it out of the object.")
    return found


def areas(triangles: Floats) -> Floats:
    """[N] of triangles [N, 3, 3]."""
    across = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return np.asarray(0.5 * np.linalg.norm(across, axis=1))


def is_inside(scene: TriangleScene, place: Floats) -> bool:
    """Whether what a point [3] sees first is, in all directions, the back of a triangle."""
    return all(sees_a_back(scene, place, direction) for direction in directions(LOOKS))


def directions(count: int) -> Floats:
    """[count, 3] unit vectors, evenly spread: a spiral of equal areas, turned by the golden angle from one to the next
    (Swinbank and Purser 2006)."""
    number = np.arange(count)
    height = 1 - (2 * number + 1) / count
    angle = np.pi * (3 - 5**0.5) * number
    flat = np.sqrt(1 - height**2)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), height], 1)


def sees_a_back(scene: TriangleScene, origin: Floats, direction: Floats) -> bool:
    """Whether a ray hits the back of a triangle before any front; False where it hits nothing.

    The corners of a triangle seen from its front are in counter-clockwise order. Intersections after Moeller and
    Trumbore (1997), in double precision.
    """
    nearest, back = np.inf, False
    for start in range(0, len(scene), BLOCK):
        corners = scene.triangles[start : start + BLOCK].astype(np.float64)
        one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        across = np.cross(direction, two)
        determinant = (one * across).sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):  # of triangles that the ray lies in or that have no area
            offset = origin - corners[:, 0]
            u = (offset * across).sum(1) / determinant
            turned = np.cross(offset, one)
            v = turned @ direction / determinant
            distance = (two * turned).sum(1) / determinant
            hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
        if hit.any():
            first = np.flatnonzero(hit)[distance[hit].argmin()]
            if distance[first] < nearest:
                nearest, back = distance[first], determinant[first] < 0
    return bool(back)
