"""A piece of landscape."""

import numpy as np
import trimesh

from rfcli.synth.shapes.boxes import boxes


def terrain(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A block whose top is fractal: ridged waves of falling height (Musgrave 1989), rounded hills or sharp crests."""
    mesh = boxes([((0.0, 0.0, 0.0), (1.0, float(rng.uniform(0.6, 1.0)), 0.12))], faces)
    ground = np.asarray(mesh.vertices)[:, :2]
    height, sharp = np.zeros(len(ground)), rng.uniform(0.0, 1.0)
    for octave in range(5):
        waves = rng.normal(size=(4, 2)) * 3.0 * 1.9**octave
        swell = np.sin(ground @ waves.T + rng.uniform(0, 2 * np.pi, 4))
        height += 0.5**octave * (sharp * (0.64 - np.abs(swell)) + (1 - sharp) * 0.7 * swell).mean(axis=1)
    relief = rng.uniform(0.25, 0.7) * (height - height.min())
    mesh.vertices[:, 2] *= 1.0 + relief / 0.12  # the bottom stays at 0, the sides stretch
    return mesh
