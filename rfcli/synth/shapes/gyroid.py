"""A piece of a minimal surface that fills space."""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points
from rfcli.synth.shapes.level_set import level_set


def gyroid(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A thick gyroid (Schoen 1970), turned and moved at random, cut to a superellipsoid: a sponge, a coral."""
    finest = min(6.0, 0.19 * faces**0.5)  # waves that so few faces can follow
    waves, thickness, power = rng.uniform(0.7, 1.0) * finest, rng.uniform(0.5, 0.8), rng.uniform(2.0, 8.0)
    phase = rng.uniform(0, 2 * np.pi, 3)

    def solid(points: Points) -> Points:
        x, y, z = np.moveaxis(waves * points + phase, -1, 0)
        wall = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
        hull = 1.0 - (np.abs(points) ** power).sum(axis=-1) ** (1 / power)
        inside: Points = np.minimum((thickness - np.abs(wall)) / waves, hull)
        return inside

    return level_set(solid, -np.ones(3), np.ones(3), faces)
