"""Scenes as HDF5: the official layout (13 x 32 x 32 textures) and the compact one (13 numbers a triangle)."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.runtime.files import replacing
from rfcli.scene.hdf5_arrays import Shape, check_stored, holds, in_single, plain_array, read_array
from rfcli.scene.hdf5_bytes import hdf5_bytes
from rfcli.scene.limits import LARGEST_SCENE
from rfcli.scene.triangle_scene import FloatArray, TriangleScene

TEXTURE_SIZE = 32
SHAPES: dict[str, Shape] = {"triangles": (None, 3, 3), "vn": (None, 3, 3), "c2w": (None, 4, 4)}
BLOCK = 64  # triangles whose textures (53 kB each in fp32) are in memory at a time

x, y = np.indices((TEXTURE_SIZE, TEXTURE_SIZE))
# The texels that lie in the triangle: the lower-left half of the square and one diagonal more.
TEXTURE_MASK: npt.NDArray[np.bool_] = x + y <= TEXTURE_SIZE


def write_hdf5(scene: TriangleScene, path: Path, official: bool) -> None:
    """Write triangles, vn, c2w, fov and either `texture` (official, float16) or `material` (float32).

    Raises InputError where a number does not fit the official half precision, or where the disk refuses the file.
    """
    if official and scene.material.max() > np.finfo(np.float16).max:
        raise InputError(f"{path}: emission above 65504 does not fit the official layout; save with official=False.")

    def fill(file: h5py.File) -> None:
        for name in ("triangles", "vn", "c2w", "fov"):
            file.create_dataset(name, data=getattr(scene, name), compression="gzip")
        if official:
            _write_texture(file, scene.material)
        else:
            file.create_dataset("material", data=scene.material, compression="gzip")

    content = hdf5_bytes(fill)
    try:
        with replacing(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise InputError(f"{path}: the file cannot be written ({why}); choose another folder.") from error


def read_hdf5(path: Path) -> TriangleScene:
    """Read a scene of either layout; datasets that are not part of a scene (images) are left alone.

    Raises InputError where the file is no HDF5, lacks a dataset, has no camera, has textures that vary within a
    triangle, which 13 numbers cannot hold, or holds anything else than `rfcli.scene.hdf5_arrays` reads.
    """
    try:
        with h5py.File(path) as file:
            missing = [name for name in ("triangles", "vn", "c2w", "fov") if not holds(file, name)]
            if missing or not (holds(file, "material") or holds(file, "texture")):
                raise InputError(f"{path}: the scene lacks {', '.join(missing) or 'material'}; write it again.")
            if len(plain_array(file, path, "triangles", SHAPES["triangles"])) > LARGEST_SCENE:
                raise InputError(f"{path}: a scene can have {LARGEST_SCENE:,} triangles at most; decimate it.")
            arrays = {name: read_array(file, path, name, shape) for name, shape in SHAPES.items()}
            arrays["fov"] = read_array(file, path, "fov", None).reshape(-1)  # the official layout has [V, 1]
            whole = holds(file, "material")
            material = read_array(file, path, "material", (None, 13)) if whole else _read_texture(file, path)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: the file is not a readable HDF5 scene ({error}); write it again.") from error
    if len(arrays["c2w"]) == 0:
        raise InputError(f"{path}: the scene has no cameras; add at least one.")
    try:
        return TriangleScene(material=in_single(material), **{name: in_single(array) for name, array in arrays.items()})
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _write_texture(file: h5py.File, material: FloatArray) -> None:
    """`texture` [N, 13, 32, 32]: the material inside TEXTURE_MASK, 0 elsewhere."""
    shape = (len(material), 13, TEXTURE_SIZE, TEXTURE_SIZE)
    chunks = (min(BLOCK, len(material)), *shape[1:])
    texture = file.create_dataset("texture", shape, np.float16, chunks=chunks, compression="gzip", shuffle=True)
    for start in range(0, len(material), BLOCK):
        texture[start : start + BLOCK] = material[start : start + BLOCK, :, None, None] * TEXTURE_MASK


def _read_texture(file: h5py.File, path: Path) -> FloatArray:
    """Material [N, 13] of a texture [N, 13, 32, 32] that is constant inside TEXTURE_MASK."""
    texture = plain_array(file, path, "texture", (None, 13, *TEXTURE_MASK.shape))
    if len(texture) > LARGEST_SCENE:
        raise InputError(f"{path}: a scene can have {LARGEST_SCENE:,} triangles at most; decimate it.")
    check_stored(texture, path, "texture")
    material = np.empty(texture.shape[:2], np.float32)
    for start in range(0, len(texture), BLOCK):
        inside = texture[start : start + BLOCK][:, :, TEXTURE_MASK]
        if (inside != inside[:, :, :1]).any():
            raise InputError(f"{path}: a texture varies within its triangle; only constant materials are supported.")
        material[start : start + BLOCK] = inside[:, :, 0]
    return material
