"""Shapes made by moving a profile: turned on a lathe, drawn along a curve, lifted from a drawing."""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points, grid_mesh


def lathe(profile: Points, faces: int) -> trimesh.Trimesh:
    """A profile [(radius, z), ...], from one end of the axis to the other, turned around z into even quads."""
    length, around = path_length(profile), 2 * np.pi * profile[:, 0].mean()
    cell = (2 * length * max(around, 1e-3) / faces) ** 0.5
    columns = int(np.clip(round(around / cell), 5, max(5, faces // 6)))
    rows = max(4, faces // (2 * columns) + 2)  # the two poles take one triangle a cell
    points = resample(profile, rows)
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    grid = np.stack(
        [
            points[:, None, 0] * np.cos(turn),
            points[:, None, 0] * np.sin(turn),
            np.broadcast_to(points[:, None, 1], (len(points), columns)),
        ],
        axis=-1,
    )
    return grid_mesh(grid, wrap_columns=True)


def cylinder(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A closed cylinder, flat or tall."""
    h = rng.uniform(0.3, 2.5)
    return lathe(np.array([(0, 0), (0.5, 0), (0.5, h), (0, h)], float), faces)


def cone(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A cone or frustum."""
    h, top = rng.uniform(0.6, 2.0), max(0.0, rng.uniform(-0.2, 0.35))
    return lathe(np.array([(0, 0), (0.5, 0), (top, h), (0, h + 1e-6)], float), faces)


def vase(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A turned vessel with a wall: outside up along a random smooth profile, inside down."""
    knots = rng.uniform(0.15, 0.5, 5)
    z = np.linspace(0, 1, 24)
    radius = np.interp(z, np.linspace(0, 1, 5), knots)
    radius = np.convolve(np.pad(radius, 4, mode="edge"), np.hanning(11)[1:-1] / np.hanning(11)[1:-1].sum(), "valid")
    height, wall = rng.uniform(0.7, 1.4), rng.uniform(0.03, 0.07)
    outside = np.stack([radius, z * height], axis=1)
    inside = np.stack([np.maximum(radius - wall, 0.02), z * height], axis=1)[::-1]
    inside = inside[inside[:, 1] > wall]
    ends = np.array([(0.0, 0.0)]), np.array([(0.0, wall)])
    return lathe(np.concatenate([ends[0], outside, inside, ends[1]]), faces)


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
    length = path_length(np.concatenate([curve, curve[:1]]))
    cell = (2 * length * 2 * np.pi * radius / faces) ** 0.5
    columns = max(4, round(2 * np.pi * radius / cell))
    rows = max(6, faces // (2 * columns))
    points = resample(np.concatenate([curve, curve[:1]]), rows + 1)[:-1]
    tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    frame = [np.cross(tangent[0], np.eye(3)[np.argmin(np.abs(tangent[0]))])]
    for t in [*tangent[1:], tangent[0]]:
        side = frame[-1] - t * (frame[-1] @ t)
        frame.append(side)
    normal = np.array(frame) / np.linalg.norm(frame, axis=1, keepdims=True)
    binormal = np.cross(tangent, normal[:-1])
    gap = np.arctan2(normal[-1] @ binormal[0], normal[-1] @ normal[0])
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None] - (np.arange(rows) / rows * gap)[:, None]
    grid = points[:, None] + radius * (
        np.cos(turn)[..., None] * normal[:-1, None] + np.sin(turn)[..., None] * binormal[:, None]
    )
    return grid_mesh(grid, wrap_rows=True, wrap_columns=True)


def extrusion(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A star, a gear or a polygon lifted from the plane, sometimes twisted or tapered."""
    turn = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    teeth, kind = int(rng.integers(3, 10)), rng.integers(3)
    phase = turn * teeth / (2 * np.pi) % 1
    if kind == 0:  # star: straight lines between tips and notches
        radius = 1 - rng.uniform(0.3, 0.6) * (1 - np.abs(2 * phase - 1))
    elif kind == 1:  # gear: teeth with slanted sides
        radius = 1 - rng.uniform(0.15, 0.3) * np.clip(4 * np.abs(2 * phase - 1) - 1.5, 0, 1)
    else:  # regular polygon
        radius = np.cos(np.pi / teeth) / np.cos((phase - 0.5) * 2 * np.pi / teeth)
    outline = radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    height, twist = rng.uniform(0.3, 2.0), rng.choice([0.0, rng.uniform(-1.0, 1.0)])
    taper = rng.uniform(0.5, 1.0)
    return lifted(outline, height, float(twist), taper, 2 * teeth, faces)


def lifted(outline: Points, height: float, twist: float, taper: float, corners: int, faces: int) -> trimesh.Trimesh:
    """An outline [K, 2], star-shaped about the origin, lifted by `height` with caps of rings around the centre."""
    columns = int(np.clip(round((faces / 3) ** 0.5 / corners), 1, 8)) * corners
    columns = max(corners, min(columns, faces // (4 * corners) * corners))
    rows = max(4, faces // (2 * columns) + 2)
    profile = resample(np.array([(0, 0), (1, 0), (1, height), (0, height)], float), rows)
    ring = outline[np.arange(columns) * len(outline) // columns]
    lift = profile[:, 1] / height
    turn, width = twist * lift, profile[:, 0] * (1 + (taper - 1) * lift)
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x = width[:, None] * (c * ring[:, 0] - s * ring[:, 1])
    y = width[:, None] * (s * ring[:, 0] + c * ring[:, 1])
    return grid_mesh(np.stack([x, y, np.broadcast_to(profile[:, 1:], x.shape)], axis=-1), wrap_columns=True)


def path_length(points: Points) -> float:
    """Length of a polyline [K, d]."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def resample(points: Points, count: int) -> Points:
    """`count` points along a polyline [K, d], evenly spaced but keeping its sharp corners."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0.0, at[-1], count)
    if len(points) < count:
        for corner in at[1:-1]:
            wanted[1:-1][np.argmin(np.abs(wanted[1:-1] - corner))] = corner
    return np.stack([np.interp(wanted, at, column) for column in points.T], axis=1)
