"""Meshes: read, normalised, remeshed and placed; faces keep the order of the file."""

import codecs
from pathlib import Path

import fast_simplification
import numpy as np
import trimesh

from rfcli.errors import InputError
from rfcli.scene.mesh_size import check_count, check_mesh_size
from rfcli.scene.schema import Transform

# Options of trimesh's readers. These formats are read without their material files, which could be any file.
READ_OPTIONS = {".obj": {"skip_materials": True}, ".glb": {"skip_materials": True}, ".ply": {}, ".stl": {}, ".off": {}}
ARCHIVE_SUFFIXES = (".zip", ".gz", ".bz2", ".tar", ".7z")  # a small archive can hold gigabytes
MAX_VERTEX_COORDINATE = 1e9  # before placing: files in micrometres exist, larger values are garbage


def read_mesh(path: Path) -> trimesh.Trimesh:
    """Read a mesh file in any format of trimesh; quads and polygons become triangles.

    Vertices and faces are not merged: that would change the smoothing groups and the order of the faces.
    Raises InputError if the file is missing, broken, an archive or too large (`rfcli.scene.limits`), has no faces, or
    has vertices that are not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such mesh; correct mesh_path, which is relative to the scene file.")
    suffix = path.suffix.lower()
    if suffix in ARCHIVE_SUFFIXES:
        raise InputError(f"{path}: meshes are not read from archives; unpack it.")
    check_mesh_size(path)
    try:
        if suffix in READ_OPTIONS:
            with path.open("rb") as file:
                if file.read(3) != codecs.BOM_UTF8:  # which editors on Windows write in front of text
                    file.seek(0)
                mesh = trimesh.load(file, file_type=suffix[1:], process=False, force="mesh", **READ_OPTIONS[suffix])
        else:
            mesh = trimesh.load(path, process=False, force="mesh")
    except MemoryError:
        raise
    except Exception as error:  # trimesh's readers raise all kinds of errors
        raise InputError(f"{path}: the mesh is broken or of an unknown format; export it again as .obj.") from error
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise InputError(f"{path}: the mesh has no faces; export it again with triangles.")
    check_count(path, len(mesh.faces))
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise InputError(f"{path}: the mesh has faces whose vertices do not exist; export it again.")
    if mesh.vertices.shape[1:] != (3,):
        raise InputError(f"{path}: the mesh has vertices of {mesh.vertices.shape[-1]} coordinates; export it again.")
    if not np.isfinite(mesh.vertices).all():
        raise InputError(f"{path}: the mesh has vertices that are not finite numbers (NaN or infinity); repair it.")
    if np.abs(mesh.vertices).max() > MAX_VERTEX_COORDINATE:
        raise InputError(f"{path}: the mesh has vertices farther than {MAX_VERTEX_COORDINATE:g} from 0; scale it down.")
    return mesh


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
