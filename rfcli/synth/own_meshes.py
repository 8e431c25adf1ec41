"""The user's meshes as objects of random scenes."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from rfcli.errors import InputError
from rfcli.scene.mesh import read_mesh
from rfcli.scene.mesh_decimation import decimate
from rfcli.synth.candidates import RejectedError, Split, split_of

OWN_SHARE = 0.5  # of the objects with enough faces
MIN_OWN_FACES = 100  # below, a user's mesh would not be recognisable
Y_UP = (".glb", ".gltf")  # formats whose vertical axis is y; all others are assumed to have z up


@dataclass(frozen=True)
class OwnMeshes:
    """The usable mesh files of a folder and its sub-folders.

    Attributes:
        folder: The folder.
        names: Paths of the usable files relative to the folder, sorted.
        sha256: Hash of names and contents, hexadecimal.
        others: Number of usable files that belong to other splits.
        broken: Reason why each other mesh file cannot be used, by name.
    """

    folder: Path
    names: tuple[str, ...]
    sha256: str
    others: int
    broken: Mapping[str, str]

    def __str__(self) -> str:
        """Identifies the collection by its content, independently of its folder."""
        return f"{len(self.names)} meshes with hash {self.sha256[:16]}"


def find_meshes(folder: Path, split: Split = "train", on_file: Callable[[str], None] = lambda name: None) -> OwnMeshes:
    """Reads every mesh file below a folder, in any format that trimesh supports, and keeps the usable ones of a split.

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
    suffixes = {f".{name}" for name in trimesh.exchange.load.mesh_formats()}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    names, others, broken, digest = [], 0, {}, hashlib.sha256()
    for path in files:
        name = path.relative_to(folder).as_posix()
        on_file(name)
        try:
            read_upright(path)
        except InputError as error:
            broken[name] = str(error).removeprefix(f"{path}: ")
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
        found = f"only broken meshes ({', '.join(broken)})" if broken else f"no {', '.join(sorted(suffixes))} file"
        raise InputError(f"`meshes` {folder} holds {found}; give a folder with at least one usable mesh.")
    return OwnMeshes(folder, tuple(names), digest.hexdigest(), others, broken)


def own_shape(rng: np.random.Generator, meshes: OwnMeshes, faces: int) -> trimesh.Trimesh:
    """A random one of the meshes with at most `faces` faces, longest side 1, centred on the origin.

    Raises RejectedError if it cannot be decimated to that number, for example because of many loose parts.
    """
    mesh = decimate(read_upright(meshes.folder / meshes.names[rng.integers(len(meshes.names))]), faces)
    if not 4 <= len(mesh.faces) <= faces:
        raise RejectedError("own mesh not simple enough")
    return _normalised(mesh)


def read_upright(path: Path) -> trimesh.Trimesh:
    """The mesh of a file with z up and longest side 1, without faces of no area; closed meshes have outward normals.

    Raises InputError if it cannot be read or is not a surface.
    """
    read = read_mesh(path)
    mesh = trimesh.Trimesh(np.asarray(read.vertices, float), np.asarray(read.faces), process=False)
    if path.suffix.lower() in Y_UP:
        mesh.vertices = mesh.vertices[:, [0, 2, 1]] * (1.0, -1.0, 1.0)
    if not np.ptp(mesh.vertices[mesh.faces.ravel()], axis=0).max() > 0:
        raise InputError(f"{path}: the mesh is a single point; export it again.")
    mesh = _normalised(mesh)
    mesh.merge_vertices(digits_vertex=6)
    mesh.update_faces(mesh.nondegenerate_faces(height=1e-7) & mesh.unique_faces())
    mesh.remove_unreferenced_vertices()
    if len(mesh.faces) < 4:
        raise InputError(f"{path}: the mesh has {len(mesh.faces)} faces with an area; at least 4 are needed.")
    if mesh.is_watertight and mesh.volume < 0:
        mesh.invert()
    return _normalised(mesh)


def _normalised(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh, changed in place: no unreferenced vertices, centred on the origin, longest side 1."""
    mesh.remove_unreferenced_vertices()
    low, high = mesh.bounds
    mesh.apply_translation(-(low + high) / 2)
    mesh.apply_scale(1 / (high - low).max())
    return mesh
