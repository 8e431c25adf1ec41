"""Pieces: the meshes of a scene with vertex normals and materials."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh

Floats = npt.NDArray[np.float64]

CREASE_COSINE = np.cos(np.radians(50.0))  # faces that meet at a larger angle are not shaded smoothly


@dataclass(frozen=True)
class Piece:
    """Triangles [N, 3, 3] with vertex normals [N, 3, 3] and materials [N, 13].

    two_sided: a camera may see the backs, as of a bowl or a cloth; the back of a wall must not be visible.
    """

    triangles: Floats
    vn: Floats
    material: Floats
    two_sided: bool = False

    @classmethod
    def from_mesh(cls, mesh: trimesh.Trimesh, material: Floats, smooth: bool, two_sided: bool = False) -> "Piece":
        """The faces of a mesh with their materials [F, 13]."""
        return cls(np.asarray(mesh.triangles), corner_normals(mesh, smooth), material, two_sided)


def corner_normals(mesh: trimesh.Trimesh, smooth: bool) -> Floats:
    """Unit normals [F, 3, 3] of each corner of each face.

    Flat: the normal of the face. Smooth: the area-weighted mean over the faces around the vertex that meet this face at
    less than 50 degrees, so that boxes keep their edges.
    """
    unit = np.asarray(mesh.face_normals)
    flat = np.repeat(unit[:, None], 3, axis=1)
    if not smooth:
        return flat
    corners = np.asarray(mesh.faces).ravel()  # corner -> vertex
    order = np.argsort(corners, kind="stable")
    count = np.bincount(corners, minlength=len(mesh.vertices))
    first = np.cumsum(count) - count
    neighbours = count[corners]  # number of faces around each corner's vertex
    # All pairs of a corner and a face around its vertex.
    corner = np.repeat(np.arange(len(corners)), neighbours)
    step = np.arange(len(corner)) - np.repeat(np.cumsum(neighbours) - neighbours, neighbours)
    other = order[first[corners[corner]] + step] // 3
    alike = np.einsum("ij,ij->i", unit[corner // 3], unit[other]) >= CREASE_COSINE
    weighted = unit[other] * (np.asarray(mesh.area_faces)[other] * alike)[:, None]
    total = np.stack([np.bincount(corner, weighted[:, k], len(corners)) for k in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals = np.where(length > 1e-12, total / np.maximum(length, 1e-12), flat.reshape(-1, 3))
    return normals.reshape(-1, 3, 3)
