"""Arrays in HDF5 files: read from untrusted files with checks of type, place and size; written in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError

MAX_ARRAY_NUMBERS = 1 << 28
MAX_CHUNK_BYTES = 1 << 26  # HDF5 decompresses a chunk as a whole
MAX_DEFLATE_RATIO = 1032  # largest compression by deflate, according to zlib
MAX_UNSTORED_BYTES = 1 << 20  # that an array may declare beyond MAX_DEFLATE_RATIO times its stored bytes
ALLOWED_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}

Shape = tuple[int | None, ...]  # None: an axis of any length


def has_entry(file: h5py.File, name: str) -> bool:
    """Whether the file has an entry of this name.

    Opens nothing, while `name in file` follows links into other files and blocks if one of them is a pipe.
    """
    return bool(file.id.links.exists(name.encode()))


def read_array(file: h5py.File, path: Path, name: str, shape: Shape | None) -> npt.NDArray[Any]:
    """The array `name` of the given shape, None for any shape; `path` is for messages.

    Raises InputError as `find_dataset` and `check_stored_size`, and if it has more than MAX_ARRAY_NUMBERS.
    """
    dataset = find_dataset(file, path, name, shape)
    if dataset.size > MAX_ARRAY_NUMBERS:
        raise InputError(f"{path}: {name} declares {dataset.size:,} numbers, too many; write it again.")
    check_stored_size(dataset, path, name)
    return np.asarray(dataset[()])


def check_stored_size(dataset: h5py.Dataset, path: Path, name: str) -> None:
    """Raise InputError if an array declares more than the file can contain: HDF5 fills the rest with zeros."""
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > MAX_UNSTORED_BYTES + MAX_DEFLATE_RATIO * stored:
        raise InputError(f"{path}: {name} declares {dataset.nbytes:,} bytes but stores {stored:,}; write it again.")


def find_dataset(file: h5py.File, path: Path, name: str, shape: Shape | None) -> h5py.Dataset:
    """The dataset `name`, not read yet.

    Raises InputError, naming file and dataset, if it is a link (which may lead to any file), is stored in another
    file, is not of real numbers, has another shape, or is stored in chunks or by filters that cost memory or run
    plug-ins.
    """
    where = f"{path}: {name}"
    if file.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise InputError(f"{where} is a link to another place; write the numbers into the file itself.")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(f"{where} is a group, not an array; write the scene again.")
    if dataset.is_virtual or dataset.external:
        raise InputError(f"{where} lies in other files; write the numbers into the file itself.")
    if dataset.dtype.kind not in "fiu":
        raise InputError(f"{where} has values of type {dataset.dtype}, not real numbers; write the scene again.")
    found = dataset.shape or ()
    shape = found if shape is None else shape
    if len(found) != len(shape) or any(want not in (None, have) for want, have in zip(shape, found, strict=True)):
        wanted = ", ".join("any" if axis is None else str(axis) for axis in shape)
        raise InputError(f"{where} has shape {list(found)}; write it again with [{wanted}].")
    if dataset.chunks and np.prod(dataset.chunks, dtype=float) * dataset.dtype.itemsize > MAX_CHUNK_BYTES:
        raise InputError(f"{where} is stored in chunks of {list(dataset.chunks)}; write it in smaller ones.")
    settings = dataset.id.get_create_plist()
    filters = [settings.get_filter(number)[0] for number in range(settings.get_nfilters())]
    refused = set(filters) - ALLOWED_FILTERS
    if refused:
        raise InputError(f"{where} is stored with HDF5 filter {min(refused)}; write it with gzip or none.")
    if len(filters) > len(set(filters)):
        raise InputError(f"{where} is stored through one filter several times; write it with gzip or none.")
    return dataset


def to_float32(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The array in float32; values that do not fit become infinite, which `TriangleScene` refuses."""
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32)


def hdf5_bytes(fill: Callable[[h5py.File], None], libver: str | None = None) -> bytes:
    """Content of the HDF5 file that `fill` writes, made in memory: on a full disk HDF5 may crash, or report no error.

    libver: version of the format, in h5py's terms.
    """
    with h5py.File("in memory", "w", libver=libver, driver="core", backing_store=False) as file:
        fill(file)
        file.flush()
        return bytes(file.id.get_file_image())
