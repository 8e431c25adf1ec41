"""Closed boxes with cells of one size: one by itself, or the boards and blocks that other shapes are made of."""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points, grid_mesh, rectangle

Box = tuple[tuple[float, float, float], tuple[float, float, float]]  # low and high corner


def box(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A box with sides 0.4 to 1; every third is a cube."""
    size = np.ones(3) if rng.random() < 1 / 3 else rng.uniform(0.4, 1.0, 3)
    return boxes([((0.0, 0.0, 0.0), (size[0], size[1], size[2]))], faces)


def boxes(corners: list[Box], faces: int) -> trimesh.Trimesh:
    """Separate closed boxes with cells of one size, the smallest for which all fit into `faces`."""
    sizes = np.array([np.subtract(high, low) for low, high in corners])
    longest = sizes.max()
    for divisions in range(64, 0, -1):
        cells = np.maximum(1, np.round(sizes * divisions / longest)).astype(int)
        x, y, z = cells.T
        if 4 * (x * y + y * z + z * x).sum() <= faces:
            break
    return joined(
        [closed_box(np.array(low), size, cell) for (low, _), size, cell in zip(corners, sizes, cells, strict=True)]
    )


def closed_box(low: Points, size: Points, cells: Points) -> trimesh.Trimesh:
    """One box with its low corner at `low`, cells [3] per axis, seen from outside."""
    sides = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        face = rectangle(size[u], size[v], int(cells[u]), int(cells[v]))
        for sign in (-1, 1):
            points = np.zeros_like(face)
            points[..., u], points[..., v] = face[..., 0], face[..., 1]
            points[..., axis] = sign * size[axis] / 2
            sides.append(grid_mesh(points if sign > 0 else points[:, ::-1]))
    mesh = joined(sides)
    mesh.merge_vertices(digits_vertex=7)
    mesh.apply_translation(low + size / 2)
    return mesh


def joined(meshes: list[trimesh.Trimesh]) -> trimesh.Trimesh:
    """All faces in one mesh; vertices stay apart."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]
    return trimesh.Trimesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces), process=False)
