"""Reads and writes scene files; the suffix determines the format."""

import warnings
from pathlib import Path

from rfcli.errors import InputError, InputWarning
from rfcli.scene import HDF5_SUFFIXES, MESH_SUFFIXES, SCENE_SUFFIXES
from rfcli.scene.limits import check_ranges
from rfcli.scene.triangle_scene import TriangleScene


def load(path: str | Path, allow_outside: bool = False) -> TriangleScene:
    """Read a scene file, a scene of another program, or a mesh, which is placed on a lit backdrop.

    Args:
        path: `.json` (official schema; mesh paths are relative to it), `.h5` (official or compact layout), or one of
            MESH_SUFFIXES. Files with cameras or lights (glTF) are scenes of their own, all others are meshes; both are
            decimated to 4,096 triangles, with a UserWarning. `place_file` has options.
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
    suffix = path.suffix.lower()
    if suffix == ".json":
        from rfcli.scene.schema import read_description
        from rfcli.scene.triangulate import triangulate

        scene = triangulate(read_description(path), path, allow_outside)
    elif suffix in HDF5_SUFFIXES:
        from rfcli.scene.hdf5 import read_hdf5

        scene = read_hdf5(path)
    elif suffix in MESH_SUFFIXES:
        from rfcli.scene.formats.place import place_file

        placed = place_file(path)
        for note in placed.notes:
            warnings.warn(note, InputWarning, stacklevel=3)
        scene = placed.scene
    else:
        from rfcli.scene.formats.read import remedy

        known = ", ".join(SCENE_SUFFIXES + MESH_SUFFIXES)
        raise InputError(f"{path}: {suffix or 'files without a suffix'} is not read ({known} are); {remedy(suffix)}.")
    check_ranges(scene, path)
    return scene


def save(scene: TriangleScene, path: str | Path, official: bool = False) -> list[str]:
    """Write a scene to a file, completely or not at all.

    Args:
        scene: The scene.
        path: Ends in `.h5`; or in `.json`, for the official schema with one OBJ file for each material in the folder
            NAME-meshes beside it (`rfcli.scene.scene_json`). In an existing folder.
        official: In HDF5, write `texture [N, 13, 32, 32]` in half precision, which the official code reads (1,000 times
            larger before compression), instead of `material [N, 13]`, which is exact.

    Returns:
        Sentences about what the format cannot hold; none for `.h5`.

    Raises:
        InputError: The name has another suffix, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SCENE_SUFFIXES:
        raise InputError(f"{path}: scenes are written as .h5 or .json; correct the file name.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it first.")
    if suffix == ".json":
        from rfcli.scene.scene_json import write_json

        return write_json(scene, path).notes
    from rfcli.scene.hdf5 import write_hdf5

    write_hdf5(scene, path, official)
    return []
