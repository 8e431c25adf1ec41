"""Scenes as HDF5 in two layouts: official (13 x 32 x 32 textures) and compact (13 numbers per triangle)."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.runtime.files import check_not_lfs_pointer, replacing
from rfcli.scene.hdf5_arrays import (
    Shape,
    check_stored_size,
    find_dataset,
    has_entry,
    hdf5_bytes,
    read_array,
    to_float32,
)
from rfcli.scene.limits import MAX_TRIANGLES
from rfcli.scene.triangle_scene import FloatArray, TriangleScene

TEXTURE_SIZE = 32
SHAPES: dict[str, Shape] = {"triangles": (None, 3, 3), "vn": (None, 3, 3), "c2w": (None, 4, 4)}
BLOCK_TRIANGLES = 64  # whose textures (53 kB each in fp32) are in memory at a time

x, y = np.indices((TEXTURE_SIZE, TEXTURE_SIZE))
# Texels inside the triangle: the lower-left half of the square and one more diagonal.
TEXTURE_MASK: npt.NDArray[np.bool_] = x + y <= TEXTURE_SIZE


def write_hdf5(scene: TriangleScene, path: Path, official: bool) -> None:
    """Write triangles, vn, c2w, fov and either `texture` (official, float16) or `material` (float32).

    Raises InputError if a number does not fit the official half precision or the file cannot be written.
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
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path}: the file cannot be written ({reason}); choose another folder.") from error


def read_hdf5(path: Path) -> TriangleScene:
    """Read a scene of either layout; other datasets in the file (images) are ignored.

    Raises InputError if the file is not HDF5, lacks a dataset or a camera, fails the checks of `hdf5_arrays`, or has
    textures that vary within a triangle, which 13 numbers cannot represent.
    """
    check_not_lfs_pointer(path)
    try:
        with h5py.File(path) as file:
            missing = [name for name in ("triangles", "vn", "c2w", "fov") if not has_entry(file, name)]
            if missing or not (has_entry(file, "material") or has_entry(file, "texture")):
                raise InputError(f"{path}: the scene lacks {', '.join(missing) or 'material'}; write it again.")
            _check_count(find_dataset(file, path, "triangles", SHAPES["triangles"]), path)
            arrays = {name: read_array(file, path, name, shape) for name, shape in SHAPES.items()}
            arrays["fov"] = read_array(file, path, "fov", None).reshape(-1)  # the official layout has [V, 1]
            compact = has_entry(file, "material")
            material = read_array(file, path, "material", (None, 13)) if compact else _read_texture(file, path)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: the file is not a readable HDF5 scene ({error}); write it again.") from error
    if len(arrays["c2w"]) == 0:
        raise InputError(f"{path}: the scene has no cameras; add at least one.")
    try:
        return TriangleScene(
            material=to_float32(material), **{name: to_float32(array) for name, array in arrays.items()}
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _check_count(dataset: h5py.Dataset, path: Path) -> None:
    if len(dataset) > MAX_TRIANGLES:
        raise InputError(f"{path}: a scene can have {MAX_TRIANGLES:,} triangles at most; decimate it.")


def _write_texture(file: h5py.File, material: FloatArray) -> None:
    """`texture` [N, 13, 32, 32]: the material inside TEXTURE_MASK, 0 elsewhere."""
    shape = (len(material), 13, TEXTURE_SIZE, TEXTURE_SIZE)
    chunks = (min(BLOCK_TRIANGLES, len(material)), *shape[1:])
    texture = file.create_dataset("texture", shape, np.float16, chunks=chunks, compression="gzip", shuffle=True)
    for start in range(0, len(material), BLOCK_TRIANGLES):
        block = slice(start, start + BLOCK_TRIANGLES)
        texture[block] = material[block, :, None, None] * TEXTURE_MASK


def _read_texture(file: h5py.File, path: Path) -> FloatArray:
    """Material [N, 13] of a texture [N, 13, 32, 32] that is constant inside TEXTURE_MASK."""
    texture = find_dataset(file, path, "texture", (None, 13, *TEXTURE_MASK.shape))
    _check_count(texture, path)
    check_stored_size(texture, path, "texture")
    material = np.empty(texture.shape[:2], np.float32)
    for start in range(0, len(texture), BLOCK_TRIANGLES):
        inside = texture[start : start + BLOCK_TRIANGLES][:, :, TEXTURE_MASK]
        if (inside != inside[:, :, :1]).any():
            raise InputError(f"{path}: a texture varies within its triangle; only constant materials are supported.")
        material[start : start + BLOCK_TRIANGLES] = inside[:, :, 0]
    return material
