"""Blobs that flow together."""

import numpy as np
import trimesh

from rfcli.synth.shapes.level_set import level_set


def metaball(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Level set of a sum of three to seven Gaussian blobs (Blinn 1982) along a random walk."""
    centres = np.cumsum(rng.normal(0, 0.28, (int(rng.integers(3, 8)), 3)), axis=0)
    widths = rng.uniform(0.18, 0.32, len(centres))
    reach = 1.5 * widths.max()

    def inside(points: np.ndarray) -> np.ndarray:
        distance = ((points[..., None, :] - centres) ** 2).sum(-1)
        return np.asarray(np.exp(-distance / widths**2).sum(-1) - 0.4)

    return level_set(inside, centres.min(axis=0) - reach, centres.max(axis=0) + reach, faces)
