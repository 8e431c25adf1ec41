"""Flat drawings extruded into solids: gear wheels and emblems."""

from itertools import pairwise
from typing import Any, TypeAlias

import manifold3d
import numpy as np
import trimesh
from manifold3d import CrossSection

from rfcli.synth.shapes.budget import refined
from rfcli.synth.shapes.grid import Points

Drawing: TypeAlias = Any  # manifold3d.CrossSection, which has no types


def stroke(points: Points, thick: float, segments: int = 8) -> Drawing:
    """A line of width `thick` along a polyline [K, 2], with round joints and ends."""
    pen = CrossSection.circle(thick / 2, segments)
    dots = [pen.translate(tuple(point)) for point in np.asarray(points, float)]
    return union([CrossSection.batch_hull(list(pair)) for pair in pairwise(dots)])


def outline(radius: Points) -> Drawing:
    """A closed curve around the origin, from its radius [K] at equally spaced angles, counter-clockwise."""
    angle = np.linspace(0, 2 * np.pi, len(radius), endpoint=False)
    return CrossSection([np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)])


def union(drawings: list[Drawing]) -> Drawing:
    """Union of the drawings."""
    return CrossSection.batch_boolean(drawings, manifold3d.OpType.Add)


def extruded(drawing: Drawing, height: float, faces: int) -> trimesh.Trimesh:
    """The drawing extruded by `height` and turned upright: its y axis points up, its front faces -y."""
    return refined(manifold3d.Manifold.extrude(drawing.simplify(0.01), height).rotate((90.0, 0.0, 0.0)), faces)


def gear(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A wheel with slanted teeth, a bore and, if there is room, round holes between spokes."""
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
    return extruded(wheel - union(holes), rng.uniform(0.2, 0.6), faces)


def logo(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """An emblem: a ring, star or disc with petals and a cut-out, all with the same rotational symmetry."""
    spokes = int(rng.integers(3, 8))
    angle = 2 * np.pi * np.arange(spokes) / spokes + np.pi / 2
    turn = np.linspace(0, 2 * np.pi, 24 * spokes // 2, endpoint=False) - np.pi / 2
    body = outline(1 - rng.uniform(0.0, 0.45) * (1 - np.cos(spokes * turn)) / 2)
    petal = CrossSection.circle(rng.uniform(0.1, 0.35), 12)
    away = rng.uniform(0.6, 1.05)
    petals = union([petal.translate((away * np.cos(a), away * np.sin(a))) for a in angle])
    figure = body + petals if rng.random() < 0.5 else body - petals
    cut = outline(rng.uniform(0.2, 0.5) * (1 - rng.uniform(0.0, 0.5) * (1 + np.cos(spokes * turn)) / 2))
    return extruded(figure - cut, rng.uniform(0.12, 0.5), faces)
