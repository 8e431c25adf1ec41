"""Profiles drawn along open curves, with closed ends: a spring, a tentacle, a sea shell, a moulding.

Round tubes along closed curves: a ring, a knot.
"""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points, grid_mesh
from rfcli.synth.shapes.polyline import frames, path_length, random_walk, resample

ROUND = np.stack([np.cos(np.linspace(0, 2 * np.pi, 48)), np.sin(np.linspace(0, 2 * np.pi, 48))], axis=1)


def spring(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A helix of wire, wider at one end or not."""
    turns, height = rng.uniform(2.0, 4.5), rng.uniform(0.7, 1.8)
    t = np.linspace(0, 1, 200)
    radius = 0.5 * (1 + rng.uniform(-0.6, 0.0) * t)
    angle = 2 * np.pi * turns * t
    curve = np.stack([radius * np.cos(angle), radius * np.sin(angle), height * t], axis=1)
    wire = min(rng.uniform(0.05, 0.11), 0.35 * height / turns)
    return swept(curve, np.full(len(t), wire), ROUND, faces)


def tentacle(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A horn, a root, a worm: a thinning tube along a random curve."""
    curve = random_walk(rng, 120, bend=rng.uniform(0.3, 1.6))
    t = np.linspace(0, 1, len(curve))
    rings = 1 + rng.uniform(0.0, 0.15) * np.sin(2 * np.pi * rng.uniform(3, 9) * t)
    radius = rng.uniform(0.06, 0.16) * (1 - rng.uniform(0.2, 0.95) * t) * rings
    return swept(curve, radius, ROUND, faces)


def seashell(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A tube that grows along a logarithmic spiral (Raup 1966): a snail's house, a horn, an ammonite."""
    turns, growth, drop = rng.uniform(1.5, 3.0), rng.uniform(1.8, 3.2), rng.uniform(0.0, 2.2)
    t = np.linspace(0, 1, 240)
    size = growth ** (turns * (t - 1))
    angle = 2 * np.pi * turns * t
    curve = size[:, None] * np.stack([np.cos(angle), np.sin(angle), np.full(len(t), -drop)], axis=1)
    return swept(curve, rng.uniform(0.42, 0.6) * size, ROUND, faces)


def moulding(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A bar whose section is a rounded star or a square, bent and twisted."""
    angle = np.linspace(0, 2 * np.pi, 96)
    corners = int(rng.integers(3, 7))
    radius = 1 + rng.uniform(0.1, 0.4) * np.cos(corners * angle)
    outline = radius[:, None] * np.stack([np.cos(angle), np.sin(angle) * rng.uniform(0.5, 1.0)], axis=1)
    curve = random_walk(rng, 120, bend=rng.uniform(0.0, 1.2))
    twist = rng.uniform(-2.0, 2.0) * np.linspace(0, 1, len(curve))
    return swept(curve, np.full(len(curve), rng.uniform(0.08, 0.22)), outline, faces, twist, 2 * corners)


def swept(
    curve: Points, radius: Points, outline: Points, faces: int, twist: Points | None = None, multiple: int = 1
) -> trimesh.Trimesh:
    """An outline [M, 2] (closed: first point again at the end) times radius [K] along an open curve [K, 3].

    twist [K]: by how much the outline has turned, radians. multiple: of what the number of columns is, where there are
    faces enough, so that none of the outline's corners is cut. Rings lie closer where the tube is thin.
    """
    around = path_length(outline) * max(float(radius.mean()), 1e-6)
    cell = (2 * (path_length(curve) + 2 * radius.max()) * around / faces) ** 0.5
    columns = max(4, round(around / cell))
    if multiple > 1 and faces >= 8 * multiple:
        columns = max(multiple, round(columns / multiple) * multiple)
    columns = min(columns, (len(outline) - 1) // multiple * multiple)  # more would only cut its straight pieces
    rows = max(2, (faces - 2 * columns) // (2 * columns) + 1)  # a fan closes each end
    along = resample(
        np.concatenate([curve, radius[:, None], np.zeros((len(curve), 1)) if twist is None else twist[:, None]], 1),
        rows,
    )
    points, width, turn = along[:, :3], along[:, 3], along[:, 4]
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = frames(tangent)
    binormal = np.cross(tangent, normal)
    ring = resample(outline, columns + 1)[:-1]
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x, y = c * ring[:, 0] - s * ring[:, 1], s * ring[:, 0] + c * ring[:, 1]
    grid = points[:, None] + width[:, None, None] * (x[..., None] * normal[:, None] + y[..., None] * binormal[:, None])
    ends = [np.broadcast_to(points[i], (1, columns, 3)) for i in (0, -1)]
    return grid_mesh(np.concatenate([ends[0], grid, ends[1]]), wrap_columns=True)


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
