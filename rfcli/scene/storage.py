"""Scenes in and out of files, by suffix."""

from pathlib import Path

from rfcli.errors import InputError
from rfcli.scene.ranges import check_ranges
from rfcli.scene.suffixes import HDF5
from rfcli.scene.triangle_scene import TriangleScene


def load(path: str | Path, allow_outside: bool = False) -> TriangleScene:
    """Read a scene: `.json` (official schema; mesh paths are relative to it) or `.h5` (official or compact).

    allow_outside: read meshes that a scene file names outside its own folder, too.
    Raises InputError where the file is missing, broken, or describes a scene that cannot be rendered.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such scene file; give a .json or .h5 scene.")
    # Imported where used: a scene of one kind need not wait a second for the library of the other.
    if path.suffix == ".json":
        from rfcli.scene.schema import read_description
        from rfcli.scene.triangulate import triangulate

        scene = triangulate(read_description(path), path, allow_outside)
    elif path.suffix in HDF5:
        from rfcli.scene.hdf5 import read_hdf5

        scene = read_hdf5(path)
    else:
        raise InputError(f"{path}: a scene ends in .json or .h5; convert the file or correct its name.")
    check_ranges(scene, path)
    return scene


def save(scene: TriangleScene, path: str | Path, official: bool = False) -> None:
    """Write a scene to `.h5`, whole or not at all.

    official: write `texture [N, 13, 32, 32]` in half precision, which the official code reads (1,000 times larger
    before compression), in place of `material [N, 13]`, which keeps every bit.
    Raises InputError where the name does not end in .h5 or the folder cannot be written.
    """
    path = Path(path)
    if path.suffix not in HDF5:
        raise InputError(f"{path}: scenes are written as .h5; correct the file name.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it first.")
    from rfcli.scene.hdf5 import write_hdf5

    write_hdf5(scene, path, official)
