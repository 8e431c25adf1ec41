"""Meshes: read, normalised, remeshed and placed, with faces kept in the order of the file."""

from pathlib import Path

import fast_simplification
import numpy as np
import trimesh

from rfcli.errors import InputError
from rfcli.scene.schema import Transform


def read_mesh(path: Path) -> trimesh.Trimesh:
    """Read a mesh file in any format that trimesh knows; quads and polygons become triangles.

    Vertices and faces are left as they are: merging them would change the smoothing groups and the faces' order.
    Raises InputError where the file is missing or broken, has no faces, or has vertices that are not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such mesh; correct mesh_path, which is relative to the scene file.")
    try:
        mesh = trimesh.load(path, process=False, force="mesh")
    except Exception as error:  # trimesh's readers raise whatever the parsing met
        raise InputError(f"{path}: the mesh is broken or of an unknown format; export it again as .obj.") from error
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise InputError(f"{path}: the mesh has no faces; export it again with triangles.")
    if not np.isfinite(mesh.vertices).all():
        raise InputError(f"{path}: the mesh has vertices that are not finite numbers (NaN or infinity); repair it.")
    return mesh


def normalize(mesh: trimesh.Trimesh) -> None:
    """Move the mean of the vertices to the origin and scale the farthest vertex to a distance of 0.5, in place."""
    centred = mesh.vertices - mesh.vertices.mean(axis=0)
    radius = np.linalg.norm(centred, axis=1).max()
    mesh.vertices = centred / (2 * radius) if radius > 0 else centred


def remesh(mesh: trimesh.Trimesh, target_faces: int) -> trimesh.Trimesh:
    """A mesh of the same shape with about `target_faces` faces: split in four until there are enough, then decimated
    by quadric error (fast_simplification)."""
    dense = mesh.copy()
    dense.merge_vertices(merge_tex=True, merge_norm=True)
    while len(dense.faces) < target_faces:
        dense = dense.subdivide()
    if len(dense.faces) == target_faces:
        return dense
    points, faces = fast_simplification.simplify(
        np.asarray(dense.vertices, dtype=np.float64), np.asarray(dense.faces), target_count=target_faces
    )
    return trimesh.Trimesh(points, faces, process=False)


def place(mesh: trimesh.Trimesh, transform: Transform) -> None:
    """Rotate about the world's x, then y, then z axis; scale along the world's axes; translate; in place."""
    for axis, degrees in zip(np.eye(3), transform.rotation, strict=True):
        rotation = trimesh.transformations.rotation_matrix(np.deg2rad(degrees), axis)  # type: ignore[no-untyped-call]
        mesh.apply_transform(rotation)
    mesh.apply_scale(transform.scale)  # type: ignore[no-untyped-call]
    mesh.apply_translation(transform.translation)
