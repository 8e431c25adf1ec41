"""Faceted stones."""

import manifold3d
import numpy as np
import trimesh

from rfcli.synth.shapes.budget import refined


def gem(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """The convex hull of 8 to 24 points near an ellipsoid: a cut gem, a crystal, a boulder."""
    points = rng.normal(size=(int(rng.integers(8, 25)), 3))
    points *= rng.uniform(0.8, 1.0, (len(points), 1)) / np.linalg.norm(points, axis=1, keepdims=True)
    return refined(manifold3d.Manifold.hull_points(points * rng.uniform(0.4, 1.0, 3)), faces)
