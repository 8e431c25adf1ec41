"""Users' own meshes as objects of random scenes."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from rfcli.errors import InputError
from rfcli.scene.mesh import read_mesh
from rfcli.synth.rejection import RejectedError
from rfcli.synth.shapes.budget import decimate
from rfcli.synth.splits import Split, split_of

SHARE = 0.5  # of the objects that have faces enough
LEAST = 100  # faces, below which a mesh of one's own would not be recognised
Y_UP = (".glb", ".gltf")  # formats whose vertical is y; the others are taken to stand upright along z


@dataclass(frozen=True)
class OwnMeshes:
    """The usable mesh files of a folder and its sub-folders: their paths in it, sorted, and a hash of what they hold.

    others: how many belong to another split. broken: why each of the rest cannot be used.
    """

    folder: Path
    names: tuple[str, ...]
    sha256: str
    others: int
    broken: Mapping[str, str]

    def __str__(self) -> str:
        """What tells one collection from another, wherever it lies."""
        return f"{len(self.names)} meshes with hash {self.sha256[:16]}"


def find_meshes(
    folder: Path, split: Split = "train", looked_at: Callable[[str], None] = lambda name: None
) -> OwnMeshes:
    """Read every mesh below `folder` once, in any format that trimesh knows, and keep those that can be used.

    split: an eighth of the files is held out, by their content, for validation and test; training never sees them.

    looked_at: told each file's name. Raises InputError, naming --meshes, where nothing is left.
    """
    if not folder.is_dir():
        raise InputError(f"--meshes {folder} is not a folder; give one that holds meshes.")
    suffixes = {f".{name}" for name in trimesh.exchange.load.mesh_formats()}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    names, others, broken, digest = [], 0, {}, hashlib.sha256()
    for path in files:
        name = path.relative_to(folder).as_posix()
        looked_at(name)
        try:
            upright(path)
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
            f"--meshes {folder}: its {others} meshes belong to other splits than {split}; give more of them."
        )
    if not names:
        found = f"only broken meshes ({', '.join(broken)})" if broken else f"no {', '.join(sorted(suffixes))} file"
        raise InputError(f"--meshes {folder} holds {found}; give a folder with at least one usable mesh.")
    return OwnMeshes(folder, tuple(names), digest.hexdigest(), others, broken)


def own_shape(rng: np.random.Generator, meshes: OwnMeshes, faces: int) -> trimesh.Trimesh:
    """One of the meshes with at most `faces` faces, longest side 1, centred on the origin.

    Raises RejectedError where decimation does not bring it down to that (many loose parts).
    """
    mesh = decimate(upright(meshes.folder / meshes.names[rng.integers(len(meshes.names))]), faces)
    if not 4 <= len(mesh.faces) <= faces:
        raise RejectedError("own mesh not simple enough")
    return unit(mesh)


def upright(path: Path) -> trimesh.Trimesh:
    """The mesh in the file: z up, vertices merged, faces without area left out, longest side 1, closed ones outwards.

    Raises InputError where it cannot be read, or is no surface.
    """
    read = read_mesh(path)
    mesh = trimesh.Trimesh(np.asarray(read.vertices, float), np.asarray(read.faces), process=False)
    if path.suffix.lower() in Y_UP:
        mesh.vertices = mesh.vertices[:, [0, 2, 1]] * (1.0, -1.0, 1.0)
    if not np.ptp(mesh.vertices[mesh.faces.ravel()], axis=0).max() > 0:
        raise InputError(f"{path}: the mesh is a single point; export it again.")
    mesh = unit(mesh)
    mesh.merge_vertices(digits_vertex=6)
    mesh.update_faces(mesh.nondegenerate_faces(height=1e-7) & mesh.unique_faces())
    mesh.remove_unreferenced_vertices()
    if len(mesh.faces) < 4:
        raise InputError(f"{path}: the mesh has {len(mesh.faces)} faces with an area; at least 4 are needed.")
    if mesh.is_watertight and mesh.volume < 0:
        mesh.invert()
    return unit(mesh)


def unit(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh without stray vertices, centred on the origin, longest side 1; in place."""
    mesh.remove_unreferenced_vertices()
    low, high = mesh.bounds
    mesh.apply_translation(-(low + high) / 2)
    mesh.apply_scale(1 / (high - low).max())
    return mesh
