"""Vertex normals: flat, or smooth except across creases."""

import numpy as np
import numpy.typing as npt
import trimesh

CREASE = np.cos(np.radians(50.0))  # smoother joints are rounded, sharper ones stay edges


def corner_normals(mesh: trimesh.Trimesh, smooth: bool) -> npt.NDArray[np.float64]:
    """Unit normals [F, 3, 3] of each corner of each face.

    Flat: the face's own. Smooth: the area-weighted mean over the faces around the vertex that meet this one at less
    than 50 degrees, so that boxes keep their edges.
    """
    unit = np.asarray(mesh.face_normals)
    flat = np.repeat(unit[:, None], 3, axis=1)
    if not smooth:
        return flat
    corners = np.asarray(mesh.faces).ravel()  # corner -> vertex
    order = np.argsort(corners, kind="stable")
    count = np.bincount(corners, minlength=len(mesh.vertices))
    first = np.cumsum(count) - count
    reach = count[corners]  # faces around each corner's vertex
    corner = np.repeat(np.arange(len(corners)), reach)
    step = np.arange(len(corner)) - np.repeat(np.cumsum(reach) - reach, reach)
    other = order[first[corners[corner]] + step] // 3
    alike = np.einsum("ij,ij->i", unit[corner // 3], unit[other]) >= CREASE
    weighted = unit[other] * (np.asarray(mesh.area_faces)[other] * alike)[:, None]
    total = np.stack([np.bincount(corner, weighted[:, k], len(corners)) for k in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals = np.where(length > 1e-12, total / np.maximum(length, 1e-12), flat.reshape(-1, 3))
    return normals.reshape(-1, 3, 3)
