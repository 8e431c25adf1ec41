"""Standing and table lamps."""

import numpy as np
import trimesh

from rfcli.synth.shapes.boxes import joined
from rfcli.synth.shapes.budget import shared
from rfcli.synth.shapes.lathe import lathe


def lamp(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A foot, a pole, and a shade with a wall, each turned on a lathe."""
    height, foot, pole = rng.uniform(0.6, 1.4), rng.uniform(0.15, 0.3), rng.uniform(0.015, 0.05)
    low, high, tall = rng.uniform(0.2, 0.4), rng.uniform(0.08, 0.25), rng.uniform(0.2, 0.4)
    thick, wall = rng.uniform(0.02, 0.08), 0.02
    base = np.array([(0.0, 0.0), (foot, 0.0), (rng.uniform(0.4, 1.0) * foot, thick), (0.0, thick)])
    rod = np.array([(0.0, thick), (pole, thick), (pole, height), (0.0, height)])
    top = height + 0.05
    shade = np.array([(0, top - wall), (high - wall, top - wall), (low - wall, top - tall), (low, top - tall)])
    shade = np.concatenate([shade, [(high, top), (0, top)]])
    counts = shared(faces, [foot**2, 2 * pole * height, 2 * (low + high) * tall], 40)
    return joined([lathe(part, count) for part, count in zip((base, rod, shade), counts, strict=True)])
