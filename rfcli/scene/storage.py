"""Reads and writes scene files; the suffix determines the format."""

import warnings
from pathlib import Path

from rfcli.errors import InputError, InputWarning
from rfcli.scene import HDF5_SUFFIXES, MESH_SUFFIXES
from rfcli.scene.limits import check_ranges
from rfcli.scene.triangle_scene import TriangleScene


def load(path: str | Path, allow_outside: bool = False) -> TriangleScene:
    """Read a scene file, or a mesh, which is placed on a lit backdrop.

    Args:
        path: `.json` (official schema; mesh paths are relative to it), `.h5` (official or compact layout), or one of
            MESH_SUFFIXES. Meshes are decimated to 4,096 triangles with their backdrop, with a UserWarning;
            `place_on_backdrop` has options.
        allow_outside: Also read meshes outside the folder of the scene file.

    Returns:
        The scene, with all values in the ranges of `rfcli.scene.limits`.

    Raises:
        InputError: The file is missing or broken, or describes a scene that cannot be rendered.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such scene file; give a .json or .h5 scene.")
    # Each format needs a library that takes a second to import; only the one that is needed is imported.
    if path.suffix == ".json":
        from rfcli.scene.schema import read_description
        from rfcli.scene.triangulate import triangulate

        scene = triangulate(read_description(path), path, allow_outside)
    elif path.suffix in HDF5_SUFFIXES:
        from rfcli.scene.hdf5 import read_hdf5

        scene = read_hdf5(path)
    elif path.suffix.lower() in MESH_SUFFIXES:
        from rfcli.scene.backdrop import place_on_backdrop

        placed = place_on_backdrop(path)
        for note in placed.notes:
            warnings.warn(note, InputWarning, stacklevel=3)
        scene = placed.scene
    else:
        raise InputError(f"{path}: a scene file ends in .json or .h5; convert the file or correct its name.")
    check_ranges(scene, path)
    return scene


def save(scene: TriangleScene, path: str | Path, official: bool = False) -> None:
    """Write a scene to an HDF5 file, completely or not at all.

    Args:
        scene: The scene.
        path: Ends in `.h5`, in an existing folder.
        official: Write `texture [N, 13, 32, 32]` in half precision, which the official code reads (1,000 times larger
            before compression), instead of `material [N, 13]`, which is exact.

    Raises:
        InputError: The name does not end in .h5, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in HDF5_SUFFIXES:
        raise InputError(f"{path}: scenes are written as .h5; correct the file name.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it first.")
    from rfcli.scene.hdf5 import write_hdf5

    write_hdf5(scene, path, official)
