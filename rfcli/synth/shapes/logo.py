"""Emblems: flat figures with the symmetry of a wheel or of a shield."""

import numpy as np
import trimesh
from manifold3d import CrossSection

from rfcli.synth.shapes.drawing import lifted, outline, union


def logo(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A ring, star or disc with petals added and a figure cut out, all with the same number of spokes."""
    spokes = int(rng.integers(3, 8))
    angle = 2 * np.pi * np.arange(spokes) / spokes + np.pi / 2
    turn = np.linspace(0, 2 * np.pi, 24 * spokes // 2, endpoint=False) - np.pi / 2
    body = outline(1 - rng.uniform(0.0, 0.45) * (1 - np.cos(spokes * turn)) / 2)
    petal = CrossSection.circle(rng.uniform(0.1, 0.35), 12)
    away = rng.uniform(0.6, 1.05)
    petals = union([petal.translate((away * np.cos(a), away * np.sin(a))) for a in angle])
    figure = body + petals if rng.random() < 0.5 else body - petals
    cut = outline(rng.uniform(0.2, 0.5) * (1 - rng.uniform(0.0, 0.5) * (1 + np.cos(spokes * turn)) / 2))
    return lifted(figure - cut, rng.uniform(0.12, 0.5), faces)
