"""Solids by constructive geometry and by level sets."""

import manifold3d
import numpy as np
import trimesh
from skimage.measure import marching_cubes

from rfcli.synth.shapes.budget import decimate


def boolean(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Union, difference or intersection of two of box, ball and cylinder."""
    first, second = primitive(rng), primitive(rng)
    moved = second.scale(list(rng.uniform(0.6, 0.9, 3))).rotate(list(rng.uniform(0, 360, 3)))
    moved = moved.translate(list(rng.uniform(-0.35, 0.35, 3)))
    operation = rng.integers(3)
    solid = first - moved if operation == 0 else first + moved if operation == 1 else first ^ moved
    edge = (1.2 * solid.surface_area() / faces) ** 0.5  # of even triangles, twice as many as wanted
    fine = solid.refine_to_length(edge).to_mesh()
    mesh = trimesh.Trimesh(np.asarray(fine.vert_properties)[:, :3], np.asarray(fine.tri_verts), process=False)
    return decimate(mesh, faces)


def primitive(rng: np.random.Generator) -> manifold3d.Manifold:
    """A box, a ball or a cylinder about one unit across."""
    kind = rng.integers(3)
    if kind == 0:
        return manifold3d.Manifold.cube(list(rng.uniform(0.6, 1.0, 3)), True)
    if kind == 1:
        return manifold3d.Manifold.sphere(0.55, 24)
    return manifold3d.Manifold.cylinder(rng.uniform(0.6, 1.2), 0.4, 0.4, 24, True)


def metaball(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Level set of a sum of three to seven Gaussian blobs along a random walk, by marching cubes."""
    walk = np.cumsum(rng.normal(0, 0.28, (int(rng.integers(3, 8)), 3)), axis=0)
    centres, widths = walk - walk.mean(axis=0), rng.uniform(0.18, 0.32, len(walk))
    half = np.abs(centres).max() + 0.75
    line = np.linspace(-half, half, 36)
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1)
    distance = ((grid[..., None, :] - centres) ** 2).sum(-1)
    field = np.exp(-distance / widths**2).sum(-1)
    points, triangles, _, _ = marching_cubes(field, 0.4)
    mesh = trimesh.Trimesh(points, triangles[:, ::-1], process=False)
    return decimate(mesh, faces)
