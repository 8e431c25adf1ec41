"""Birds and fish: a body that tapers, wings or fins at its sides."""

import numpy as np
import trimesh

from rfcli.synth.shapes.animal import Part, skin


def bird(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A drop-shaped body with a beak, a tail and two spread wings (short ones are fins), along +x."""
    long, stout, size = rng.uniform(0.25, 0.45), rng.uniform(0.12, 0.24), rng.uniform(0.08, 0.15)
    head = np.array([long + 0.3 * size, 0.0, rng.uniform(0.0, 0.2)])
    beak = head + np.array([rng.uniform(0.1, 0.25), 0.0, rng.uniform(-0.06, 0.02)])
    parts: list[Part] = [(np.zeros(3), head, 0.8 * stout, 0.8 * size), (head, beak, size, 0.03)]
    spread, lift, swept = rng.uniform(0.2, 0.7), rng.uniform(-0.1, 0.4), rng.uniform(-0.3, 0.1)
    for side in (-1.0, 1.0):
        for feather in np.linspace(-0.1, 0.1, 4):  # rods side by side make a flat wing
            root = np.array([feather, side * 0.5 * stout, 0.3 * stout])
            tip = root + np.array([swept - 0.4 * feather, side * spread, lift * spread])
            parts.append((root, tip, 0.05, 0.035))
        fan = np.array([-long - rng.uniform(0.1, 0.25), side * rng.uniform(0.03, 0.15), rng.uniform(0.0, 0.15)])
        parts.append((np.array([-0.7 * long, 0.0, 0.0]), fan, 0.05, 0.03))
    return skin(parts, [(np.zeros(3), np.array([long, stout, stout]))], rng.uniform(0.015, 0.03), faces)
