"""One scene of a dataset with its images, as an HDF5 file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rfcli.dataset.files import read_bytes
from rfcli.errors import InputError
from rfcli.runtime.files import check_not_lfs_pointer, replacing
from rfcli.scene import TriangleScene
from rfcli.scene.hdf5_arrays import MAX_ARRAY_NUMBERS, has_entry, hdf5_bytes, read_array, to_float32

FLOAT16_MAX = 65504.0
SIGN_BIT, EXPONENT_BITS = 0x8000, 0x7C00  # of float16
NOWHERE = b"/dev/null/in memory"  # HDF5 refuses the name of a file that exists
MAX_CHUNK_ROWS = 1024  # of an image; at 4096 columns 25 MB
SCENE_FIELDS = ("triangles", "vn", "material", "c2w", "fov")


@dataclass(frozen=True)
class Sample:
    """A scene with V cameras and its images.

    Attributes:
        scene: The scene.
        images: [V, R, R, 3] float16, linear radiance, clipped to the range of float16.
        layers: [L, V, R, R, 3] float16, the images by each light alone, whose sum is `images`; None if not rendered.

    Raises:
        InputError: The shapes do not match the scene's cameras, or a value is not finite.
    """

    scene: TriangleScene
    images: npt.NDArray[np.float16]
    layers: npt.NDArray[np.float16] | None = None

    def __post_init__(self) -> None:
        shape = self.images.shape
        if len(shape) != 4 or shape[0] != len(self.scene.c2w) or shape[1] != shape[2] or shape[3] != 3:
            raise InputError(f"images have shape {list(shape)}; {len(self.scene.c2w)} cameras need [V, R, R, 3].")
        images = np.asarray(self.images)
        if not _all_finite(images):
            raise InputError("images hold values that are not finite; render the scene again.")
        if self.layers is not None and (self.layers.shape[1:] != shape or not _all_finite(self.layers)):
            raise InputError(f"layers have shape {list(self.layers.shape)} or are not finite; render the scene again.")
        if images.dtype != np.float16 or (np.ascontiguousarray(images).view(np.uint16) >= SIGN_BIT).any():
            images = np.clip(images, 0.0, FLOAT16_MAX).astype(np.float16)
        object.__setattr__(self, "images", images)


def _all_finite(values: npt.NDArray[Any]) -> bool:
    """Whether no value is nan or infinite; of float16 by their bits, since numpy computes with float16 very slowly."""
    if values.dtype != np.float16:
        return bool(np.isfinite(values).all())
    return bool(((np.ascontiguousarray(values).view(np.uint16) & EXPONENT_BITS) != EXPONENT_BITS).all())


def check_sample_size(views: int, resolution: int, lights: int = 1) -> None:
    """Raises InputError if images, or light layers, of this size are larger than `read_sample` accepts."""
    values = 3 * views * resolution**2 * lights
    if values > MAX_ARRAY_NUMBERS:
        raise InputError(
            f"`views` {views} of `resolution` {resolution} are {values:,} values per scene; "
            f"at most {MAX_ARRAY_NUMBERS:,} are possible. Lower one of them."
        )


def write_sample(path: str | Path, sample: Sample) -> None:
    """Writes a sample as HDF5; the same sample always gives the same bytes.

    Args:
        path: The file. On an error, a file that was there before stays.
        sample: The sample.

    Raises:
        OSError: The file cannot be written.
    """
    content = sample_bytes(sample)
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)


def sample_bytes(sample: Sample) -> bytes:
    """Content of the sample's HDF5 file."""

    def fill(file: h5py.File) -> None:
        for name in SCENE_FIELDS:
            file.create_dataset(name, data=getattr(sample.scene, name), compression="gzip", compression_opts=1)
        for name, images in (("images", sample.images), ("layers", sample.layers)):
            if images is not None:
                # One image per chunk: the small chunks that h5py would choose take half as long again to read.
                chunks = (1,) * (images.ndim - 3) + (min(images.shape[-3], MAX_CHUNK_ROWS), *images.shape[-2:])
                file.create_dataset(
                    name, data=images, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True
                )

    return hdf5_bytes(fill, libver="v110")


def read_sample(path: str | Path) -> Sample:
    """Reads a sample.

    The file is untrusted input: only plain arrays of limited size are read.

    Args:
        path: A file, or a member of a TAR file: `packs/000000.tar/000012.h5`.

    Returns:
        The sample.

    Raises:
        InputError: The file is missing or broken, lacks a field, or holds anything that `rfcli.scene.hdf5_arrays` does
            not accept.
    """
    path = Path(path)
    check_not_lfs_pointer(path)
    try:
        if path.is_file():
            with h5py.File(path, "r") as file:
                return _sample_in(file, path)
        content = read_bytes(path)
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:  # h5py raises any of these
        raise _unreadable(path, error) from error
    return parse_sample(content, path)


def parse_sample(content: bytes, path: Path) -> Sample:
    """The sample in the content of a file; `path` is for messages. Raises InputError as `read_sample`."""
    try:
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_fapl_core(backing_store=False)
        access.set_file_image(content)
        with h5py.File(h5py.h5f.open(NOWHERE, h5py.h5f.ACC_RDONLY, fapl=access)) as file:
            return _sample_in(file, path)
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:  # h5py raises any of these
        raise _unreadable(path, error) from error


def _sample_in(file: h5py.File, path: Path) -> Sample:
    try:
        missing = [name for name in (*SCENE_FIELDS, "images") if not has_entry(file, name)]
        if missing:
            raise InputError(f"{path} has no {', '.join(missing)}; it is not a scene of a dataset.")
        arrays = {name: to_float32(read_array(file, path, name, None)) for name in SCENE_FIELDS}
        images = read_array(file, path, "images", (None, None, None, 3))
        layers = read_array(file, path, "layers", (None,) * 4 + (3,)) if has_entry(file, "layers") else None
        return Sample(TriangleScene(**arrays), images, layers)
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be read ({error}); delete it and generate the dataset again.")
