"""Stars and polygons, extruded."""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points, grid_mesh
from rfcli.synth.shapes.polyline import resample


def extrusion(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """An extruded star or polygon, some twisted or tapered."""
    turn = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    tips = int(rng.integers(3, 10))
    phase = turn * tips / (2 * np.pi) % 1
    if rng.random() < 0.5:  # star: straight lines between tips and notches
        radius = 1 - rng.uniform(0.3, 0.6) * (1 - np.abs(2 * phase - 1))
    else:  # regular polygon
        radius = np.cos(np.pi / tips) / np.cos((phase - 0.5) * 2 * np.pi / tips)
    outline = radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    height, twist = rng.uniform(0.3, 2.0), rng.choice([0.0, rng.uniform(-1.0, 1.0)])
    taper = rng.uniform(0.5, 1.0)
    return _extruded(outline, height, float(twist), taper, 2 * tips, faces)


def _extruded(outline: Points, height: float, twist: float, taper: float, corners: int, faces: int) -> trimesh.Trimesh:
    """An outline [K, 2], star-shaped about the origin, extruded by `height`; the caps are rings around the centre."""
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
