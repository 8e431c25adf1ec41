"""Thin open surfaces, visible from both sides: cloth, bowl, ribbon."""

import numpy as np
import numpy.typing as npt
import trimesh

from rfcli.synth.shapes.grid import Points, grid_mesh
from rfcli.synth.shapes.polyline import random_curve, resample, transported_normals


def cloth(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A square cloth that lies on an invisible round table: flat in the middle, hanging down in folds at the sides."""
    x, y = np.moveaxis(square_grid(faces), -1, 0)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    table, drop = rng.uniform(0.3, 0.7), rng.uniform(0.1, 1.35)
    over = np.maximum(radius - table, 0.0)
    folds = int(rng.integers(5, 12))
    wave = rng.uniform(0.1, 0.25) * over * np.sin(folds * angle + rng.uniform(0, 6) + np.sin(angle + rng.uniform(0, 6)))
    far = np.where(radius > table, table + over * np.cos(drop) + wave * np.sin(drop), radius)
    z = -over * np.sin(drop) + wave * np.cos(drop)
    for _ in range(3):  # wrinkles
        k = rng.normal(0, 3.0, 2)
        z += 0.02 * np.sin(k[0] * x + k[1] * y + rng.uniform(0, 6))
    return grid_mesh(np.stack([far * np.cos(angle), far * np.sin(angle), z], axis=-1))


def bowl(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Part of an ellipsoid with a wavy or plain rim: a dish, a cup or a petal."""
    x, y = np.moveaxis(square_to_disc(square_grid(faces)), -1, 0)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    opening = rng.uniform(0.5, 2.1)  # radians from the pole to the rim
    rim = 1 + rng.uniform(0.0, 0.2) * radius**3 * np.sin(int(rng.integers(2, 9)) * angle)
    flat = np.sin(opening * radius) * rim
    z = -np.cos(opening * radius) * rng.uniform(0.5, 1.3)
    points = np.stack([flat * np.cos(angle), rng.uniform(0.6, 1.0) * flat * np.sin(angle), z], axis=-1)
    return grid_mesh(points, crossed=diagonals_to_centre(len(points) - 1))


def ribbon(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A twisted strip along a random curve or a helix."""
    if rng.random() < 0.5:
        curve = random_curve(rng, 160, bend=rng.uniform(0.5, 1.5))
    else:
        t = np.linspace(0, 1, 160)
        angle, radius = 2 * np.pi * rng.uniform(0.8, 2.0) * t, rng.uniform(0.15, 0.4) * (1 - rng.uniform(0, 0.5) * t)
        curve = np.stack([radius * np.cos(angle), radius * np.sin(angle), t], axis=1)
    length, width = float(np.linalg.norm(np.diff(curve, axis=0), axis=1).sum()), rng.uniform(0.1, 0.3)
    columns = max(2, round((faces * width / length / 2) ** 0.5))
    points = resample(curve, faces // (2 * columns) + 1)
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = transported_normals(tangent)
    turn = rng.uniform(0, 2 * np.pi) + rng.uniform(-4.0, 4.0) * np.linspace(0, 1, len(points))[:, None]
    across = np.cos(turn) * normal + np.sin(turn) * np.cross(tangent, normal)
    return grid_mesh(points[:, None] + width * np.linspace(-0.5, 0.5, columns + 1)[:, None] * across[:, None])


def square_grid(faces: int) -> Points:
    """Grid [n, n, 2] of the square -1..1, the finest with at most `faces` triangles."""
    line = np.linspace(-1, 1, int((faces / 2) ** 0.5) + 1)
    return np.stack(np.meshgrid(line, line), axis=-1)


def diagonals_to_centre(cells: int) -> npt.NDArray[np.bool_]:
    """[cells, cells] of a square: cells whose other diagonal points to the centre.

    The corner cells of a disc have three points on the rim; only that diagonal gives two triangles with an area.
    """
    near = np.arange(cells) < cells / 2
    return np.asarray(near[:, None] != near[None])


def square_to_disc(points: Points) -> Points:
    """Maps points [..., 2] of the square -1..1 to the unit disc, preserving areas (Shirley and Chiu 1997)."""
    x, y = np.moveaxis(points, -1, 0)
    wide = np.abs(x) > np.abs(y)
    radius = np.where(wide, x, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.where(wide, np.pi / 4 * y / x, np.pi / 2 - np.pi / 4 * x / y)
    angle = np.where(radius == 0, 0.0, angle)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
