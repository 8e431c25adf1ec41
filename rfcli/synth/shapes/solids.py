"""Solids from Boolean operations and from convex hulls."""

import manifold3d
import numpy as np
import trimesh

from rfcli.synth.shapes.budget import refined


def boolean(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Union, difference or intersection of two primitives."""
    first, second = _primitive(rng), _primitive(rng)
    moved = second.scale(list(rng.uniform(0.6, 0.9, 3))).rotate(list(rng.uniform(0, 360, 3)))
    moved = moved.translate(list(rng.uniform(-0.35, 0.35, 3)))
    operation = rng.integers(3)
    solid = first - moved if operation == 0 else first + moved if operation == 1 else first ^ moved
    return refined(solid, faces)


def _primitive(rng: np.random.Generator) -> manifold3d.Manifold:
    """A box, a ball or a cylinder of about unit size."""
    kind = rng.integers(3)
    if kind == 0:
        return manifold3d.Manifold.cube(list(rng.uniform(0.6, 1.0, 3)), True)
    if kind == 1:
        return manifold3d.Manifold.sphere(0.55, 24)
    return manifold3d.Manifold.cylinder(rng.uniform(0.6, 1.2), 0.4, 0.4, 24, True)


def gem(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Convex hull of 8 to 24 points near an ellipsoid: a cut gem, a crystal or a boulder."""
    points = rng.normal(size=(int(rng.integers(8, 25)), 3))
    points *= rng.uniform(0.8, 1.0, (len(points), 1)) / np.linalg.norm(points, axis=1, keepdims=True)
    return refined(manifold3d.Manifold.hull_points(points * rng.uniform(0.4, 1.0, 3)), faces)
