"""HDF5 files made in memory: where a disk is full, HDF5 itself may crash, keep the error to itself, or print pages."""

from collections.abc import Callable

import h5py


def hdf5_bytes(fill: Callable[[h5py.File], None], libver: str | None = None) -> bytes:
    """What an HDF5 file holds into which `fill` has written. libver: the format's version, as h5py calls it."""
    with h5py.File("in memory", "w", libver=libver, driver="core", backing_store=False) as file:
        fill(file)
        file.flush()
        return bytes(file.id.get_file_image())
