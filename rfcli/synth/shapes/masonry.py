"""Built of blocks: stairs, an arch."""

import numpy as np
import trimesh

from rfcli.synth.shapes.boxes import boxes


def stairs(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Steps that rise to one side."""
    count, rise, run = int(rng.integers(3, 6)), rng.uniform(0.12, 0.25), rng.uniform(0.15, 0.3)
    width = rng.uniform(0.4, 1.0)
    return boxes([((i * run, 0.0, 0.0), ((i + 1) * run, width, (i + 1) * rise)) for i in range(count)], faces)


def arch(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Two posts under a beam."""
    w, d, h, t = rng.uniform(0.6, 1.2), rng.uniform(0.2, 0.6), rng.uniform(0.5, 1.2), rng.uniform(0.12, 0.25)
    return boxes([((0.0, 0.0, 0.0), (t, d, h)), ((w - t, 0.0, 0.0), (w, d, h)), ((0.0, 0.0, h), (w, d, h + t))], faces)
