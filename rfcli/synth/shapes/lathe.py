"""Solids of revolution: cylinder, cone, vase, turned wood, lamp."""

import numpy as np
import trimesh

from rfcli.synth.shapes.boxes import joined
from rfcli.synth.shapes.budget import distribute_faces
from rfcli.synth.shapes.grid import Points, grid_mesh
from rfcli.synth.shapes.polyline import path_length, resample


def lathe(profile: Points, faces: int) -> trimesh.Trimesh:
    """Solid of revolution of a profile [(radius, z), ...] that starts and ends on the z axis, with even cells."""
    length, around = path_length(profile), 2 * np.pi * profile[:, 0].mean()
    cell = (2 * length * max(around, 1e-3) / faces) ** 0.5
    columns = int(np.clip(round(around / cell), 5, max(5, faces // 6)))
    rows = max(4, faces // (2 * columns) + 2)  # cells at the two poles have one triangle
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
    """A vessel with a wall: the profile rises outside along a random smooth curve and returns inside."""
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


def turned(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Turned wood, such as a table leg or a pawn: beads and grooves between a foot and a knob."""
    z = np.linspace(0, 1, 60)
    radius = np.interp(z, np.linspace(0, 1, 7), rng.uniform(0.1, 0.3, 7))
    for _ in range(int(rng.integers(1, 4))):  # beads
        radius += rng.uniform(0.03, 0.12) * np.exp(-(((z - rng.uniform(0.1, 0.9)) / rng.uniform(0.03, 0.08)) ** 2))
    foot, knob = rng.uniform(0.05, 0.2), rng.uniform(0.08, 0.25)
    radius += rng.uniform(0.0, 0.2) / (1 + np.exp((z - foot) / 0.015))
    top = z > 1 - knob
    radius[top] *= np.sqrt(np.maximum(1 - ((z[top] - 1 + knob) / knob) ** 2, 0.0))
    height = rng.uniform(0.8, 1.8)
    side = np.stack([radius, height * z], axis=1)
    return lathe(np.concatenate([[(0.0, 0.0)], side[:-1], [(0.0, height)]]), faces)


def lamp(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A foot, a pole and a shade with a wall, each a solid of revolution."""
    height, foot, pole = rng.uniform(0.6, 1.4), rng.uniform(0.15, 0.3), rng.uniform(0.015, 0.05)
    low, high, tall = rng.uniform(0.2, 0.4), rng.uniform(0.08, 0.25), rng.uniform(0.2, 0.4)
    thick, wall = rng.uniform(0.02, 0.08), 0.02
    base = np.array([(0.0, 0.0), (foot, 0.0), (rng.uniform(0.4, 1.0) * foot, thick), (0.0, thick)])
    rod = np.array([(0.0, thick), (pole, thick), (pole, height), (0.0, height)])
    top = height + 0.05
    shade = np.array([(0, top - wall), (high - wall, top - wall), (low - wall, top - tall), (low, top - tall)])
    shade = np.concatenate([shade, [(high, top), (0, top)]])
    counts = distribute_faces(faces, [foot**2, 2 * pole * height, 2 * (low + high) * tall], 40)
    return joined([lathe(part, count) for part, count in zip((base, rod, shade), counts, strict=True)])
