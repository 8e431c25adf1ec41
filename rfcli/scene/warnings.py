"""Warnings about valid scenes: black images, cameras inside objects, scenes unlike the published training data."""

from collections.abc import Sequence

import numpy as np

from rfcli.scene.geometry import Floats, first_hits, triangle_areas
from rfcli.scene.triangle_scene import TriangleScene

MIN_LIGHT_AREA = 1e-12  # a square of a micrometre in a scene of a metre
INSIDE_RAYS = 26  # rays from a camera; it is inside an object if all of them hit backs of triangles first
BLOCK_TRIANGLES = 1 << 16  # triangles intersected at a time

# Ranges of the published training scenes.
MAX_PUBLISHED_TRIANGLES = 4096
HALF_CUBE = 0.5  # half the side of the cube that holds the objects; lights are outside
WALL_REACH = 1.35 - HALF_CUBE + 1e-3  # largest coordinate of walls: they stand on the floor, up to 1.35 high


def scene_warnings(scene: TriangleScene, cameras: Sequence[int]) -> list[str]:
    """Sentences about scenes whose images will be black or show the inside of an object.

    Args:
        scene: The scene.
        cameras: Indices of the cameras to be rendered.

    Returns:
        One sentence for each of: no light, lights without area, cameras inside an object.
    """
    emits = scene.emitters
    without_area = int((triangle_areas(scene.triangles[emits].astype(np.float64)) <= MIN_LIGHT_AREA).sum())
    found = []
    if not emits.any():
        found.append("Nothing emits light: the picture will be black.")
    elif without_area == emits.sum():
        found.append("None of the lights has an area: the picture will be black; make them larger.")
    elif without_area:
        found.append(f"Light triangles without area, which give no light: {without_area:,} of {emits.sum():,}.")
    inside = [str(camera) for camera in cameras if is_inside(scene, scene.c2w[camera, :3, 3].astype(np.float64))]
    if inside:
        which = ", ".join(inside)
        found.append(
            f"From camera {which} only backs of triangles are visible, on all sides: move it out of the object."
        )
    return found


def training_range_warnings(scene: TriangleScene) -> list[str]:
    """Sentences about properties of the scene that the published training scenes do not have."""
    emits = scene.emitters
    centres, reach = scene.triangles.mean(axis=1), np.abs(scene.triangles).max(axis=(1, 2))
    lights_inside = int((emits & (np.abs(centres) <= HALF_CUBE).all(axis=1)).sum())
    outside = int((~emits & (reach > WALL_REACH)).sum())
    found = []
    if lights_inside:
        found.append(f"Light triangles inside [-0.5, 0.5]^3: {lights_inside:,}; in published scenes they are outside.")
    if len(scene) > MAX_PUBLISHED_TRIANGLES:
        found.append(
            f"{len(scene):,} triangles: published models were trained with {MAX_PUBLISHED_TRIANGLES:,} at most."
        )
    if outside:
        found.append(f"Triangles outside [-0.5, 0.5]^3, farther than published walls reach: {outside:,}.")
    return found


def is_inside(scene: TriangleScene, point: Floats) -> bool:
    """Whether rays from a point [3] hit the back of a triangle first in all INSIDE_RAYS directions."""
    return all(hits_back(scene, point, direction) for direction in sphere_directions(INSIDE_RAYS))


def sphere_directions(count: int) -> Floats:
    """[count, 3] unit vectors, evenly spread over the sphere.

    A spiral of equal areas, turned by the golden angle from each to the next (Swinbank and Purser 2006).
    """
    number = np.arange(count)
    height = 1 - (2 * number + 1) / count
    angle = np.pi * (3 - 5**0.5) * number
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], 1)


def hits_back(scene: TriangleScene, origin: Floats, direction: Floats) -> bool:
    """Whether the first triangle on a ray is hit on its back; False where the ray hits nothing."""
    nearest, back = np.inf, False
    for start in range(0, len(scene), BLOCK_TRIANGLES):
        triangles = scene.triangles[start : start + BLOCK_TRIANGLES].astype(np.float64)
        distance, front, _ = first_hits(origin, direction[None], triangles)
        if distance[0] < nearest:
            nearest, back = distance[0], not front[0]
    return back
