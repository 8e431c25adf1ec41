"""Round tubes along closed curves: a ring, a knot."""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points, grid_mesh
from rfcli.synth.shapes.polyline import frames, path_length, resample


def torus(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A ring, thin or fat."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    return tube(ring, rng.uniform(0.15, 0.45), faces)


def knot(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A tube along a (p, q) torus knot."""
    p, q = [(2, 3), (3, 2), (2, 5), (3, 4)][rng.integers(4)]
    turn = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    far = 1 + rng.uniform(0.35, 0.55) * np.cos(q * turn)
    curve = np.stack([far * np.cos(p * turn), far * np.sin(p * turn), 0.5 * np.sin(q * turn)], axis=1)
    return tube(curve, rng.uniform(0.13, 0.22), faces)


def tube(curve: Points, radius: float, faces: int) -> trimesh.Trimesh:
    """A round tube along a closed curve [K, 3], its frame carried along without twist and closed evenly."""
    closed = np.concatenate([curve, curve[:1]])
    cell = (2 * path_length(closed) * 2 * np.pi * radius / faces) ** 0.5
    columns = max(4, round(2 * np.pi * radius / cell))
    rows = max(6, faces // (2 * columns))
    points = resample(closed, rows + 1)[:-1]
    tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = frames(np.concatenate([tangent, tangent[:1]]))
    binormal = np.cross(tangent, normal[:-1])
    gap = np.arctan2(normal[-1] @ binormal[0], normal[-1] @ normal[0])
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None] - (np.arange(rows) / rows * gap)[:, None]
    grid = points[:, None] + radius * (
        np.cos(turn)[..., None] * normal[:-1, None] + np.sin(turn)[..., None] * binormal[:, None]
    )
    return grid_mesh(grid, wrap_rows=True, wrap_columns=True)
