"""The user's meshes as objects of random scenes."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import trimesh

from rfcli.errors import InputError
from rfcli.scene import MESH_SUFFIXES
from rfcli.scene.formats.appearance import Materials
from rfcli.scene.formats.contents import Contents, Floats
from rfcli.scene.formats.faces import outward_faces, welded_mesh
from rfcli.scene.formats.read import read_contents
from rfcli.scene.formats.surface import surface_of
from rfcli.scene.formats.transfer import transferred
from rfcli.scene.formats.upright import vertical_axis, with_z_up
from rfcli.scene.mesh_decimation import decimate
from rfcli.synth.candidates import RejectedError, Split, split_of

OWN_SHARE = 0.5  # of the objects with enough faces
MIN_OWN_FACES = 100  # below, a user's mesh would not be recognisable


@dataclass(frozen=True)
class OwnMeshes:
    """The usable mesh files of a folder and its sub-folders.

    Attributes:
        folder: The folder.
        names: Paths of the usable files relative to the folder, sorted.
        sha256: Hash of names and contents, hexadecimal.
        others: Number of usable files that belong to other splits.
        unusable: Reason why each other mesh file cannot be used, by name.
    """

    folder: Path
    names: tuple[str, ...]
    sha256: str
    others: int
    unusable: Mapping[str, str]

    def __str__(self) -> str:
        """Identifies the collection by its content, independently of its folder."""
        return f"{len(self.names)} meshes with hash {self.sha256[:16]}"


def find_meshes(folder: Path, split: Split = "train", on_file: Callable[[str], None] = lambda name: None) -> OwnMeshes:
    """Reads every mesh file below a folder, in any format of MESH_SUFFIXES, and keeps the usable ones of a split.

    Args:
        folder: The folder.
        split: An eighth of the files, chosen by their content, is held out for validation and test.
        on_file: Called with the name of each file before it is read.

    Returns:
        The usable meshes.

    Raises:
        InputError: The folder does not exist or has no usable mesh for this split.
    """
    if not folder.is_dir():
        raise InputError(f"`meshes` {folder} is not a folder; give a folder of mesh files.")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in MESH_SUFFIXES and path.is_file())
    names, others, unusable, digest = [], 0, {}, hashlib.sha256()
    for path in files:
        name = path.relative_to(folder).as_posix()
        on_file(name)
        try:
            read_upright(path)
        except InputError as error:
            unusable[name] = str(error).removeprefix(f"{path}: ")
        else:
            content = path.read_bytes()
            if split_of(content) == split:
                names.append(name)
                digest.update(f"{name}\n".encode() + hashlib.sha256(content).digest())
            else:
                others += 1
    if not names and others:
        raise InputError(
            f"`meshes` {folder}: its {others} meshes belong to other splits than {split}; give more of them."
        )
    if not names:
        name, reason = next(iter(unusable.items()), ("", ""))
        found = f"no usable mesh ({name}: {reason})" if unusable else f"no {', '.join(MESH_SUFFIXES)} file"
        raise InputError(f"`meshes` {folder} holds {found.replace('.)', ')')}; give a folder with a usable mesh.")
    return OwnMeshes(folder, tuple(names), digest.hexdigest(), others, unusable)


@dataclass(frozen=True, eq=False)
class OwnShape:
    """A mesh of the user: longest side 1, centred on the origin; material [F, 13] of its faces, or None."""

    mesh: trimesh.Trimesh
    material: Floats | None


def own_shape(rng: np.random.Generator, meshes: OwnMeshes, faces: int) -> OwnShape:
    """A random one of the meshes with at most `faces` faces, with the material of its file, if that has any.

    Emission is left out: the scene has its own lights. Raises RejectedError if the mesh cannot be decimated to that
    number, for example because of many loose parts.
    """
    contents = upright_contents(meshes.folder / meshes.names[rng.integers(len(meshes.names))])
    mesh = decimate(_normalised(welded_mesh(contents)), faces)
    if not 4 <= len(mesh.faces) <= faces:
        raise RejectedError("own mesh not simple enough")
    said = [value for part in contents.parts for value in (part.material, part.colours, part.face_colours)]
    coloured = any(value is not None for value in said)
    material = _material(contents, np.asarray(mesh.triangles)) if coloured else None
    return OwnShape(_normalised(mesh), material)


def _material(contents: Contents, coarse: Floats) -> Floats:
    """Material [F, 13] of the faces [F, 3, 3] of a decimated mesh with longest side 1, centred on the origin."""
    dark = [
        replace(part, material=part.material and replace(part.material, emission=(0.0, 0.0, 0.0), unlit=False))
        for part in contents.parts
    ]
    surface = surface_of(dark)
    rows = Materials(dark).appearance(surface).material
    low, high = surface.triangles.min(axis=(0, 1)), surface.triangles.max(axis=(0, 1))
    return transferred(rows, (surface.triangles - (low + high) / 2) / (high - low).max(), coarse)


def read_upright(path: Path) -> trimesh.Trimesh:
    """The surface of a file with z up and longest side 1: each face once, with an area, fronts outwards.

    Raises InputError if it cannot be read or is not a surface.
    """
    return _normalised(welded_mesh(upright_contents(path)))


def upright_contents(path: Path) -> Contents:
    """The contents of a file with z up, each face once, with an area, front outwards.

    Raises InputError if it cannot be read or is not a surface.
    """
    contents = read_contents(path)
    axis, _ = vertical_axis(contents, path.suffix)
    contents = outward_faces(with_z_up(contents, axis))
    faces = sum(len(part.faces) for part in contents.parts)
    if faces < 4:
        raise InputError(f"{path}: the mesh has {faces} faces with an area; at least 4 are needed.")
    return contents


def _normalised(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh, changed in place: no unreferenced vertices, centred on the origin, longest side 1."""
    mesh.remove_unreferenced_vertices()
    low, high = mesh.bounds
    mesh.apply_translation(-(low + high) / 2)
    mesh.apply_scale(1 / (high - low).max())
    return mesh
