"""Made of boards: a table, a chair, a shelf."""

import numpy as np
import trimesh

from rfcli.synth.shapes.boxes import Box, boxes


def table(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A top on four legs."""
    w, d, h = rng.uniform(0.7, 1.2), rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.9)
    return boxes([*legs(w, d, h, rng.uniform(0.05, 0.12)), ((0, 0, h), (w, d, h + rng.uniform(0.05, 0.12)))], faces)


def chair(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A seat on four legs with a back."""
    w, d, h, t = rng.uniform(0.45, 0.6), rng.uniform(0.45, 0.6), rng.uniform(0.4, 0.55), rng.uniform(0.05, 0.09)
    back = ((0.0, d - t, h + t), (w, d, h + rng.uniform(0.4, 0.7)))
    return boxes([*legs(w, d, h, t), ((0.0, 0.0, h), (w, d, h + t)), back], faces)


def shelf(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Boards between two sides, open to front and back or with a back."""
    w, d, h, t = rng.uniform(0.4, 1.0), rng.uniform(0.2, 0.4), rng.uniform(0.6, 1.2), rng.uniform(0.04, 0.08)
    boards: list[Box] = [((0.0, 0.0, 0.0), (t, d, h)), ((w - t, 0.0, 0.0), (w, d, h))]
    for z in np.linspace(0.0, h - t, int(rng.integers(2, 5))) * rng.uniform(0.85, 1.0):
        boards.append(((t, 0.0, z), (w - t, d, z + t)))
    if rng.random() < 0.5:
        boards.append(((t, d, 0.0), (w - t, d + t / 2, h)))
    return boxes(boards, faces)


def legs(width: float, depth: float, height: float, thick: float) -> list[Box]:
    """Four legs in the corners."""
    return [((x, y, 0.0), (x + thick, y + thick, height)) for x in (0.0, width - thick) for y in (0.0, depth - thick)]
