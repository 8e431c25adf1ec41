"""Surfaces on which a function of space is zero.

Blobs that flow together.

A piece of a minimal surface that fills space.
"""

from collections.abc import Callable

import numpy as np
import trimesh
from skimage.measure import marching_cubes

from rfcli.synth.shapes.budget import GRAIN, decimate
from rfcli.synth.shapes.grid import Points

CELLS = 40  # along the longest side
MARGIN = 1.5  # cells around the shape


def level_set(inside: Callable[[Points], Points], low: Points, high: Points, faces: int) -> trimesh.Trimesh:
    """Where `inside` (points [..., 3] to [...], positive inside) is zero, by marching cubes (Lorensen, Cline 1987).

    low, high [3]: a box around the surface. Small loose parts, below a fiftieth of the largest, are left out.
    """
    cell = (high - low).max() / CELLS
    lines = [np.arange(a - MARGIN * cell, b + (MARGIN + 1) * cell, cell) for a, b in zip(low, high, strict=True)]
    field = inside(np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1))
    field = (np.floor(field * GRAIN) + 0.5) / GRAIN  # never exactly zero, where triangles would have no area
    points, triangles, _, _ = marching_cubes(np.pad(field, 1, constant_values=min(field.min(), -cell)), 0.0)
    mesh = trimesh.Trimesh(points * cell, triangles[:, ::-1], process=False)
    return decimate(without_crumbs(mesh), faces)


def without_crumbs(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh without parts that have fewer than a fiftieth of the faces of the largest one."""
    part = trimesh.graph.connected_component_labels(mesh.face_adjacency, node_count=len(mesh.faces))
    size = np.bincount(part)
    mesh.update_faces(size[part] * 50 >= size.max())
    mesh.remove_unreferenced_vertices()
    return mesh


def smooth_union(distances: list[Points], blend: float) -> Points:
    """The union of solids given by signed distances (negative inside) with seams rounded over `blend`.

    -blend log(sum exp(-d / blend)): smooth everywhere, and no order of the parts is special.
    """
    stack = np.stack(distances) / blend
    least = stack.min(axis=0)
    result: Points = blend * (least - np.log(np.exp(least - stack).sum(axis=0)))
    return result


def capsule(points: Points, start: Points, end: Points, thick: float, thin: float) -> Points:
    """About the signed distance [...] of points [..., 3] from a rod whose radius goes from `thick` to `thin`."""
    axis = end - start
    along = np.clip((points - start) @ axis / (axis @ axis), 0.0, 1.0)
    away = np.linalg.norm(points - start - along[..., None] * axis, axis=-1)
    result: Points = away - thick - along * (thin - thick)
    return result


def egg(points: Points, centre: Points, axes: Points) -> Points:
    """About the signed distance [...] of points [..., 3] from an ellipsoid with half axes [3] along x, y and z."""
    length = np.linalg.norm((points - centre) / axes, axis=-1)
    result: Points = (length - 1.0) * axes.min()
    return result


def metaball(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """Level set of a sum of three to seven Gaussian blobs (Blinn 1982) along a random walk."""
    centres = np.cumsum(rng.normal(0, 0.28, (int(rng.integers(3, 8)), 3)), axis=0)
    widths = rng.uniform(0.18, 0.32, len(centres))
    reach = 1.5 * widths.max()

    def inside(points: np.ndarray) -> np.ndarray:
        distance = ((points[..., None, :] - centres) ** 2).sum(-1)
        return np.asarray(np.exp(-distance / widths**2).sum(-1) - 0.4)

    return level_set(inside, centres.min(axis=0) - reach, centres.max(axis=0) + reach, faces)


def gyroid(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A thick gyroid (Schoen 1970), turned and moved at random, cut to a superellipsoid: a sponge, a coral."""
    finest = min(6.0, 0.19 * faces**0.5)  # waves that so few faces can follow
    waves, thickness, power = rng.uniform(0.7, 1.0) * finest, rng.uniform(0.5, 0.8), rng.uniform(2.0, 8.0)
    phase = rng.uniform(0, 2 * np.pi, 3)

    def solid(points: Points) -> Points:
        x, y, z = np.moveaxis(waves * points + phase, -1, 0)
        wall = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
        hull = 1.0 - (np.abs(points) ** power).sum(axis=-1) ** (1 / power)
        inside: Points = np.minimum((thickness - np.abs(wall)) / waves, hull)
        return inside

    return level_set(solid, -np.ones(3), np.ones(3), faces)
