"""Scenes that are no mistake, but whose pictures will be black or show nothing: told before they are waited for."""

from collections.abc import Sequence

import numpy as np

from rfcli.scene.geometry import Floats, first_hits, triangle_areas
from rfcli.scene.triangle_scene import TriangleScene

NO_AREA = 1e-12  # of a light: a square of a micrometre in a scene of a metre
LOOKS = 26  # directions, spread over the sphere, in which a camera must see backs of triangles only
BLOCK = 1 << 16  # triangles that are intersected at a time


def pitfalls(scene: TriangleScene, cameras: Sequence[int]) -> list[str]:
    """A sentence for each: no light, lights without area, and those of the cameras that are inside something."""
    emits = scene.emitters
    flat = int((triangle_areas(scene.triangles[emits].astype(np.float64)) <= NO_AREA).sum())
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


def is_inside(scene: TriangleScene, place: Floats) -> bool:
    """Whether what a point [3] sees first is, in all directions, the back of a triangle."""
    return all(sees_a_back(scene, place, direction) for direction in directions(LOOKS))


def directions(count: int) -> Floats:
    """[count, 3] unit vectors, evenly spread: a spiral of equal areas, turned by the golden angle from one to the next
    (Swinbank and Purser 2006).
    """
    number = np.arange(count)
    height = 1 - (2 * number + 1) / count
    angle = np.pi * (3 - 5**0.5) * number
    flat = np.sqrt(1 - height**2)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), height], 1)


def sees_a_back(scene: TriangleScene, origin: Floats, direction: Floats) -> bool:
    """Whether a ray hits the back of a triangle before any front; False where it hits nothing."""
    nearest, back = np.inf, False
    for start in range(0, len(scene), BLOCK):
        corners = scene.triangles[start : start + BLOCK].astype(np.float64)
        distance, front, _ = first_hits(origin, direction[None], corners)
        if distance[0] < nearest:
            nearest, back = distance[0], not front[0]
    return back
