"""Arrays out of HDF5 files that strangers wrote: plain numbers that lie in the file itself, and no more than fit."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError

MOST_NUMBERS = 1 << 28  # of one array
LARGEST_CHUNK = 1 << 26  # bytes, which HDF5 takes whole to decompress
DEFLATED = 1032  # times that deflate can shrink something, at most (zlib's own account of it)
SMALL = 1 << 20  # bytes
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}

Shape = tuple[int | None, ...]  # None is an axis of any length


def holds(file: h5py.File, name: str) -> bool:
    """Whether the file has something called so. Unlike `name in file`, which follows links into other files, and waits
    where one of them is a pipe, it opens nothing.
    """
    return bool(file.id.links.exists(name.encode()))


def read_array(file: h5py.File, path: Path, name: str, shape: Shape | None) -> npt.NDArray[Any]:
    """The array `name` of the given shape; None for any shape. path: what messages call the file.

    Raises InputError as `plain_array` and `check_stored`, and where there are more numbers than fit.
    """
    dataset = plain_array(file, path, name, shape)
    if dataset.size > MOST_NUMBERS:
        raise InputError(f"{path}: {name} announces {dataset.size:,} numbers, too many; write it again.")
    check_stored(dataset, path, name)
    return np.asarray(dataset[()])


def check_stored(dataset: h5py.Dataset, path: Path, name: str) -> None:
    """Raises InputError where an array announces more than the file can hold of it: what nobody has written HDF5 makes
    up, zero by zero.
    """
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > SMALL + DEFLATED * stored:
        raise InputError(
            f"{path}: {name} announces {dataset.nbytes:,} bytes, of which {stored:,} are stored; write it again."
        )


def plain_array(file: h5py.File, path: Path, name: str, shape: Shape | None) -> h5py.Dataset:
    """The dataset `name`, not read yet.

    Raises InputError, naming file and dataset, where it is a link (which may lead to any file of the reader's), lies
    in another file, holds no real numbers, has another shape, or is stored in chunks or by filters that cost memory
    or run plug-ins.
    """
    where = f"{path}: {name}"
    if file.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise InputError(f"{where} is a link to somewhere else; write the numbers into the file itself.")
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
    if dataset.chunks and np.prod(dataset.chunks, dtype=float) * dataset.dtype.itemsize > LARGEST_CHUNK:
        raise InputError(f"{where} is stored in chunks of {list(dataset.chunks)}; write it in smaller ones.")
    settings = dataset.id.get_create_plist()
    used = [settings.get_filter(number)[0] for number in range(settings.get_nfilters())]
    if set(used) - FILTERS:
        raise InputError(f"{where} is stored with HDF5 filter {min(set(used) - FILTERS)}; write it with gzip or none.")
    if len(used) > len(set(used)):
        raise InputError(f"{where} is stored through one filter several times; write it with gzip or none.")
    return dataset


def in_single(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """In float32; what does not fit becomes infinite, which a scene refuses."""
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32)
