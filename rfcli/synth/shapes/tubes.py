"""Profiles swept along curves: spring, tentacle, sea shell, moulding (closed at the ends); ring and knot."""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points, grid_mesh
from rfcli.synth.shapes.polyline import path_length, random_curve, resample, transported_normals

CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 48)), np.sin(np.linspace(0, 2 * np.pi, 48))], axis=1)


def spring(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A helix of wire, some narrower at one end."""
    turns, height = rng.uniform(2.0, 4.5), rng.uniform(0.7, 1.8)
    t = np.linspace(0, 1, 200)
    radius = 0.5 * (1 + rng.uniform(-0.6, 0.0) * t)
    angle = 2 * np.pi * turns * t
    curve = np.stack([radius * np.cos(angle), radius * np.sin(angle), height * t], axis=1)
    wire = min(rng.uniform(0.05, 0.11), 0.35 * height / turns)
    return swept(curve, np.full(len(t), wire), CIRCLE, faces)


def tentacle(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A tube of decreasing radius along a random curve: a tentacle, a horn or a root."""
    curve = random_curve(rng, 120, bend=rng.uniform(0.3, 1.6))
    t = np.linspace(0, 1, len(curve))
    rings = 1 + rng.uniform(0.0, 0.15) * np.sin(2 * np.pi * rng.uniform(3, 9) * t)
    radius = rng.uniform(0.06, 0.16) * (1 - rng.uniform(0.2, 0.95) * t) * rings
    return swept(curve, radius, CIRCLE, faces)


def seashell(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A tube of growing radius along a logarithmic spiral (Raup 1966): a snail shell or an ammonite."""
    turns, growth, drop = rng.uniform(1.5, 3.0), rng.uniform(1.8, 3.2), rng.uniform(0.0, 2.2)
    t = np.linspace(0, 1, 240)
    size = growth ** (turns * (t - 1))
    angle = 2 * np.pi * turns * t
    curve = size[:, None] * np.stack([np.cos(angle), np.sin(angle), np.full(len(t), -drop)], axis=1)
    return swept(curve, rng.uniform(0.42, 0.6) * size, CIRCLE, faces)


def moulding(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A bent and twisted bar whose cross-section is a rounded star."""
    angle = np.linspace(0, 2 * np.pi, 96)
    corners = int(rng.integers(3, 7))
    radius = 1 + rng.uniform(0.1, 0.4) * np.cos(corners * angle)
    outline = radius[:, None] * np.stack([np.cos(angle), np.sin(angle) * rng.uniform(0.5, 1.0)], axis=1)
    curve = random_curve(rng, 120, bend=rng.uniform(0.0, 1.2))
    twist = rng.uniform(-2.0, 2.0) * np.linspace(0, 1, len(curve))
    return swept(curve, np.full(len(curve), rng.uniform(0.08, 0.22)), outline, faces, twist, 2 * corners)


def swept(
    curve: Points, radius: Points, outline: Points, faces: int, twist: Points | None = None, multiple: int = 1
) -> trimesh.Trimesh:
    """Sweeps an outline along an open curve and closes the ends.

    curve: [K, 3]. radius: [K] scale of the outline along the curve. outline: [M, 2], last point equal to the first.
    twist: [K] rotation of the outline, radians. multiple: the number of columns is a multiple of this if there are
    enough faces, so that no corner of the outline is cut. Rings are closer where the tube is thin.
    """
    around = path_length(outline) * max(float(radius.mean()), 1e-6)
    cell = (2 * (path_length(curve) + 2 * radius.max()) * around / faces) ** 0.5
    columns = max(4, round(around / cell))
    if multiple > 1 and faces >= 8 * multiple:
        columns = max(multiple, round(columns / multiple) * multiple)
    columns = min(columns, (len(outline) - 1) // multiple * multiple)  # more would only divide its straight pieces
    rows = max(2, (faces - 2 * columns) // (2 * columns) + 1)  # each end is closed by a fan
    along = resample(
        np.concatenate([curve, radius[:, None], np.zeros((len(curve), 1)) if twist is None else twist[:, None]], 1),
        rows,
    )
    points, width, turn = along[:, :3], along[:, 3], along[:, 4]
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = transported_normals(tangent)
    binormal = np.cross(tangent, normal)
    ring = resample(outline, columns + 1)[:-1]
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x, y = c * ring[:, 0] - s * ring[:, 1], s * ring[:, 0] + c * ring[:, 1]
    grid = points[:, None] + width[:, None, None] * (x[..., None] * normal[:, None] + y[..., None] * binormal[:, None])
    ends = [np.broadcast_to(points[i], (1, columns, 3)) for i in (0, -1)]
    return grid_mesh(np.concatenate([ends[0], grid, ends[1]]), wrap_columns=True)


def torus(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A ring, thin or thick."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    return closed_tube(ring, rng.uniform(0.15, 0.45), faces)


def knot(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A tube along a (p, q) torus knot."""
    p, q = [(2, 3), (3, 2), (2, 5), (3, 4)][rng.integers(4)]
    turn = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    far = 1 + rng.uniform(0.35, 0.55) * np.cos(q * turn)
    curve = np.stack([far * np.cos(p * turn), far * np.sin(p * turn), 0.5 * np.sin(q * turn)], axis=1)
    return closed_tube(curve, rng.uniform(0.13, 0.22), faces)


def closed_tube(curve: Points, radius: float, faces: int) -> trimesh.Trimesh:
    """A round tube along a closed curve [K, 3]; the twist that closes the frame is distributed evenly."""
    closed = np.concatenate([curve, curve[:1]])
    cell = (2 * path_length(closed) * 2 * np.pi * radius / faces) ** 0.5
    columns = max(4, round(2 * np.pi * radius / cell))
    rows = max(6, faces // (2 * columns))
    points = resample(closed, rows + 1)[:-1]
    tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = transported_normals(np.concatenate([tangent, tangent[:1]]))
    binormal = np.cross(tangent, normal[:-1])
    gap = np.arctan2(normal[-1] @ binormal[0], normal[-1] @ normal[0])
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None] - (np.arange(rows) / rows * gap)[:, None]
    grid = points[:, None] + radius * (
        np.cos(turn)[..., None] * normal[:-1, None] + np.sin(turn)[..., None] * binormal[:, None]
    )
    return grid_mesh(grid, wrap_rows=True, wrap_columns=True)
