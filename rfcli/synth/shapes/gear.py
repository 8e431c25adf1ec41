"""Gear wheels."""

import numpy as np
import trimesh
from manifold3d import CrossSection

from rfcli.synth.shapes.drawing import lifted, outline, union


def gear(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A wheel with slanted teeth, a bore, and, where there is room, round holes between spokes."""
    teeth, depth = int(rng.integers(7, 17)), rng.uniform(0.12, 0.25)
    phase = np.arange(8 * teeth) / 8 % 1
    wheel = outline(1 - depth * np.clip(4 * np.abs(2 * phase - 1) - 1.5, 0, 1))
    bore = rng.uniform(0.1, 0.3)
    holes = [CrossSection.circle(bore, 12)]
    spokes, rim = int(rng.integers(3, 7)), 1 - depth - 0.12
    middle, width = (bore + rim) / 2, (rim - bore) / 2 - 0.06
    width = min(width, 0.8 * middle * np.sin(np.pi / spokes))
    if width > 0.1 and rng.random() < 0.6:
        angle = 2 * np.pi * np.arange(spokes) / spokes
        holes += [CrossSection.circle(width, 12).translate((middle * np.cos(a), middle * np.sin(a))) for a in angle]
    return lifted(wheel - union(holes), rng.uniform(0.2, 0.6), faces)
