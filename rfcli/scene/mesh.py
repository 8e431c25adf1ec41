"""Meshes: read, normalised, remeshed and placed; faces keep the order of the file."""

from pathlib import Path

import fast_simplification
import numpy as np
import trimesh

from rfcli.scene.formats.obj import read_obj
from rfcli.scene.formats.read import READERS, check_mesh_file, checked
from rfcli.scene.schema import Transform


def read_mesh(path: Path) -> trimesh.Trimesh:
    """The surface of a mesh file; polygons become triangles; normals, colours and materials are not used.

    Vertices and faces are not merged: that would change the smoothing groups and the order of the faces.
    Raises InputError as `rfcli.scene.formats.read.read_contents`.
    """
    check_mesh_file(path)
    suffix = path.suffix.lower()
    contents = read_obj(path, materials=False) if suffix == ".obj" else READERS[suffix](path)
    parts = checked(path, contents).parts
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    return trimesh.Trimesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, first, strict=False)]),
        process=False,
    )


def normalize(mesh: trimesh.Trimesh) -> None:
    """Move the mean of the vertices to the origin and scale the farthest vertex to a distance of 0.5, in place."""
    centred = mesh.vertices - mesh.vertices.mean(axis=0)
    radius = np.linalg.norm(centred, axis=1).max()
    mesh.vertices = centred / (2 * radius) if radius > 0 else centred


def remesh(mesh: trimesh.Trimesh, target_faces: int) -> trimesh.Trimesh:
    """A mesh of the same shape with about `target_faces` faces.

    Faces are split in four until there are enough, then decimated by quadric error (fast_simplification).
    """
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
