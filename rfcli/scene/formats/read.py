"""Reads a mesh file of any format that is known, checked for its size before and for what cannot be drawn after."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from rfcli.errors import InputError
from rfcli.runtime.files import check_not_lfs_pointer
from rfcli.scene import MESH_SUFFIXES
from rfcli.scene.formats.contents import Contents, Floats, Part
from rfcli.scene.formats.gltf import read_gltf
from rfcli.scene.formats.obj import read_obj
from rfcli.scene.formats.off import read_off
from rfcli.scene.formats.ply import read_ply
from rfcli.scene.formats.stl import read_stl
from rfcli.scene.mesh_size import check_count, check_mesh_size

MAX_VERTEX_COORDINATE = 1e9  # before placing: files in micrometres exist, larger values are garbage
ARCHIVES = (".zip", ".gz", ".bz2", ".xz", ".tar", ".tgz", ".7z", ".rar")  # a small archive can hold gigabytes
BLENDER = "open it in Blender and export glTF (.glb)"
REMEDIES = {
    **dict.fromkeys((".fbx", ".dae", ".3ds", ".blend", ".usd", ".usda", ".usdc", ".usdz", ".abc", ".x3d"), BLENDER),
    **dict.fromkeys((".wrl", ".vrml", ".x3dv"), BLENDER),
    **dict.fromkeys((".max", ".ma", ".mb", ".c4d", ".lwo", ".skp"), "export glTF (.glb) in the program that wrote it"),
    **dict.fromkeys((".step", ".stp", ".iges", ".igs", ".brep"), "open it in a CAD program and export STL or OBJ"),
    ".3mf": "export STL or OBJ from the slicing program",
    **dict.fromkeys((".xyz", ".las", ".laz", ".pcd"), "reconstruct the surface of its points and export PLY"),
    **dict.fromkeys((".vtk", ".vtu", ".vtp", ".msh"), "export its surface as PLY or STL"),
}
READERS: dict[str, Callable[[Path], Contents]] = {
    ".glb": read_gltf,
    ".gltf": read_gltf,
    ".obj": read_obj,
    ".off": read_off,
    ".ply": read_ply,
    ".stl": read_stl,
}


def read_contents(path: Path) -> Contents:
    """Read a mesh file; its suffix, in small or capital letters, determines the format.

    Args:
        path: A file with one of MESH_SUFFIXES.

    Returns:
        What the file says: parts with at least one face, no vertices that no face uses, finite positions.

    Raises:
        InputError: The file is missing, cannot be read, or is larger than `rfcli.scene.limits` allows.
    """
    check_mesh_file(path)
    return checked(path, READERS[path.suffix.lower()](path))


def check_mesh_file(path: Path) -> None:
    """Raise InputError if a file is missing, of a format that is not read, or too large."""
    suffix = path.suffix.lower()
    if suffix in ARCHIVES:
        raise InputError(f"{path}: meshes are not read from archives; unpack it.")
    if suffix not in MESH_SUFFIXES:
        known = ", ".join(MESH_SUFFIXES)
        raise InputError(f"{path}: {suffix or 'files without a suffix'} is not read ({known} are); {remedy(suffix)}.")
    if not path.is_file():
        raise InputError(f"{path}: there is no such mesh; correct the path.")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty, with no faces; export it again.")
        check_not_lfs_pointer(path)
        check_mesh_size(path)
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror}); check its permissions.") from error


def remedy(suffix: str) -> str:
    """What to do with a file of a format that is not read, by its suffix in small letters."""
    return REMEDIES.get(suffix, "convert it or correct its name")


def checked(path: Path, contents: Contents) -> Contents:
    """The contents without unused vertices and empty parts.

    Raises InputError if nothing is left, or if a vertex of a face is not finite or too far away.
    """
    parts = [only_used_vertices(part) for part in contents.parts if len(part.faces)]
    if not parts:
        raise InputError(f"{path}: the mesh has no faces; export it again with faces.")
    check_count(path, sum(len(part.faces) for part in parts))
    for part in parts:
        finite = np.isfinite(part.vertices).all(axis=1)
        if not finite.all():
            count = int((~finite).sum())
            raise InputError(
                f"{path}: {count:,} vertices of faces are not finite numbers (NaN or infinity); remove these faces."
            )
        if np.abs(part.vertices).max() > MAX_VERTEX_COORDINATE:
            raise InputError(
                f"{path}: vertices are farther than {MAX_VERTEX_COORDINATE:g} from 0; scale the mesh down."
            )
    return replace(contents, parts=parts)


def only_used_vertices(part: Part) -> Part:
    """The part without vertices that no face uses, which may be NaN; the others keep their order."""
    used = np.zeros(len(part.vertices), dtype=bool)
    used[part.faces] = True
    if used.all():
        return part

    def kept(values: Floats | None) -> Floats | None:
        return None if values is None else values[used]

    return replace(
        part,
        vertices=part.vertices[used],
        faces=(np.cumsum(used) - 1)[part.faces],
        normals=kept(part.normals),
        colours=kept(part.colours),
        uv=kept(part.uv),
        uv1=kept(part.uv1),
    )
