"""Constructive solid geometry of two primitives."""

import manifold3d
import numpy as np
import trimesh

from rfcli.synth.shapes.budget import refined


def boolean(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Union, difference or intersection of two of box, ball and cylinder."""
    first, second = primitive(rng), primitive(rng)
    moved = second.scale(list(rng.uniform(0.6, 0.9, 3))).rotate(list(rng.uniform(0, 360, 3)))
    moved = moved.translate(list(rng.uniform(-0.35, 0.35, 3)))
    operation = rng.integers(3)
    solid = first - moved if operation == 0 else first + moved if operation == 1 else first ^ moved
    return refined(solid, faces)


def primitive(rng: np.random.Generator) -> manifold3d.Manifold:
    """A box, a ball or a cylinder about one unit across."""
    kind = rng.integers(3)
    if kind == 0:
        return manifold3d.Manifold.cube(list(rng.uniform(0.6, 1.0, 3)), True)
    if kind == 1:
        return manifold3d.Manifold.sphere(0.55, 24)
    return manifold3d.Manifold.cylinder(rng.uniform(0.6, 1.2), 0.4, 0.4, 24, True)
