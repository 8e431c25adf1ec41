"""Implicit surfaces, the zero level sets of functions: metaballs and gyroids."""

from collections.abc import Callable

import numpy as np
import trimesh
from skimage.measure import marching_cubes

from rfcli.scene.mesh_decimation import ROUNDING, decimate
from rfcli.synth.shapes.grid import Points

GRID_CELLS = 40  # along the longest side
MARGIN = 1.5  # cells around the shape
MAX_PART_RATIO = 50  # of the largest part's faces to those of the smallest loose part that is kept


def level_set(inside: Callable[[Points], Points], low: Points, high: Points, faces: int) -> trimesh.Trimesh:
    """Surface where a function is zero, by marching cubes (Lorensen and Cline 1987), without small loose parts.

    inside: from points [..., 3] to values [...], positive inside. low, high: [3] corners of a box around the surface.
    """
    cell = (high - low).max() / GRID_CELLS
    lines = [np.arange(a - MARGIN * cell, b + (MARGIN + 1) * cell, cell) for a, b in zip(low, high, strict=True)]
    field = inside(np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1))
    field = (np.floor(field * ROUNDING) + 0.5) / ROUNDING  # never exactly zero, which would give triangles without area
    points, triangles, _, _ = marching_cubes(np.pad(field, 1, constant_values=min(field.min(), -cell)), 0.0)
    mesh = trimesh.Trimesh(points * cell, triangles[:, ::-1], process=False)
    return decimate(_without_small_parts(mesh), faces)


def _without_small_parts(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh, changed in place, without parts much smaller than the largest."""
    part = trimesh.graph.connected_component_labels(mesh.face_adjacency, node_count=len(mesh.faces))
    size = np.bincount(part)
    mesh.update_faces(size[part] * MAX_PART_RATIO >= size.max())
    mesh.remove_unreferenced_vertices()
    return mesh


def smooth_union(distances: list[Points], blend: float) -> Points:
    """Signed distance (negative inside) of the union of solids, with seams rounded over the length `blend`.

    -blend log(sum exp(-d / blend)): smooth everywhere and independent of the order of the solids.
    """
    stack = np.stack(distances) / blend
    nearest = stack.min(axis=0)
    result: Points = blend * (nearest - np.log(np.exp(nearest - stack).sum(axis=0)))
    return result


def capsule_distance(points: Points, start: Points, end: Points, thick: float, thin: float) -> Points:
    """Approximate signed distance [...] of points [..., 3] from a rod whose radius changes from `thick` to `thin`."""
    axis = end - start
    along = np.clip((points - start) @ axis / (axis @ axis), 0.0, 1.0)
    away = np.linalg.norm(points - start - along[..., None] * axis, axis=-1)
    result: Points = away - thick - along * (thin - thick)
    return result


def ellipsoid_distance(points: Points, centre: Points, axes: Points) -> Points:
    """Approximate signed distance [...] of points [..., 3] from an ellipsoid with half axes [3] along x, y and z."""
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
    """A thick gyroid (Schoen 1970), cut to a superellipsoid: a sponge or a coral."""
    finest = min(6.0, 0.19 * faces**0.5)  # number of waves that this number of faces can represent
    waves, thickness, power = rng.uniform(0.7, 1.0) * finest, rng.uniform(0.5, 0.8), rng.uniform(2.0, 8.0)
    phase = rng.uniform(0, 2 * np.pi, 3)

    def solid(points: Points) -> Points:
        x, y, z = np.moveaxis(waves * points + phase, -1, 0)
        wall = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
        hull = 1.0 - (np.abs(points) ** power).sum(axis=-1) ** (1 / power)
        inside: Points = np.minimum((thickness - np.abs(wall)) / waves, hull)
        return inside

    return level_set(solid, -np.ones(3), np.ones(3), faces)
