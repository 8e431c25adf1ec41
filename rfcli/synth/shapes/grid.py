"""Meshes from rectangular grids of points."""

import numpy as np
import numpy.typing as npt
import trimesh

Points = npt.NDArray[np.float64]


def grid_mesh(
    points: Points, wrap_rows: bool = False, wrap_columns: bool = False, crossed: npt.NDArray[np.bool_] | None = None
) -> trimesh.Trimesh:
    """Mesh of a grid of points [R, C, 3], two triangles per cell.

    Normals point along (next column - point) x (next row - point). Triangles without area, as at the poles of a lathe,
    are left out. wrap_rows, wrap_columns: connect the last row or column with the first. crossed: [R', C'] cells that
    are split along the other diagonal, from the next column to the next row.
    """
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    if wrap_rows:
        index = np.concatenate([index, index[:1]])
    if wrap_columns:
        index = np.concatenate([index, index[:, :1]], axis=1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2)
    if crossed is not None:
        other = np.stack([np.stack([a, b, d], -1), np.stack([b, c, d], -1)], 2)
        faces = np.where(crossed[..., None, None], other, faces)
    mesh = trimesh.Trimesh(points.reshape(-1, 3), faces.reshape(-1, 3), process=False)
    mesh.merge_vertices()
    mesh.update_faces(mesh.nondegenerate_faces(height=1e-9))
    return mesh


def rectangle(width: float, height: float, columns: int, rows: int) -> Points:
    """Grid [rows + 1, columns + 1, 3] of a rectangle in the xy plane, centred on the origin, normal +z."""
    x = np.linspace(-width / 2, width / 2, columns + 1)
    y = np.linspace(-height / 2, height / 2, rows + 1)
    grid = np.stack(np.meshgrid(x, y), -1)
    return np.concatenate([grid, np.zeros((*grid.shape[:2], 1))], -1)
