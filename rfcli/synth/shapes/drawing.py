"""Flat drawings lifted into solids."""

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
    """A pen's line of width `thick` along a polyline [K, 2], with round joints and ends."""
    pen = CrossSection.circle(thick / 2, segments)
    dots = [pen.translate(tuple(point)) for point in np.asarray(points, float)]
    return union([CrossSection.batch_hull(list(pair)) for pair in pairwise(dots)])


def outline(radius: Points) -> Drawing:
    """A closed curve around the origin by its radius [K] at even angles, counter-clockwise."""
    angle = np.linspace(0, 2 * np.pi, len(radius), endpoint=False)
    return CrossSection([np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)])


def union(drawings: list[Drawing]) -> Drawing:
    """All of them."""
    return CrossSection.batch_boolean(drawings, manifold3d.OpType.Add)


def lifted(drawing: Drawing, height: float, faces: int) -> trimesh.Trimesh:
    """The solid of the drawing's shape and this height, upright: the drawing's y is up, its front faces -y."""
    return refined(manifold3d.Manifold.extrude(drawing.simplify(0.01), height).rotate((90.0, 0.0, 0.0)), faces)
