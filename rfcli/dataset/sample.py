"""One scene of a dataset with its images, as an HDF5 file."""

import io
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from rfcli.dataset.files import read_bytes
from rfcli.errors import InputError
from rfcli.runtime.files import check_not_lfs_pointer, replacing
from rfcli.scene import TriangleScene
from rfcli.scene.hdf5_arrays import MAX_ARRAY_NUMBERS, has_entry, hdf5_bytes, read_array, to_float32

FLOAT16_MAX = 65504.0
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
        if not np.isfinite(self.images).all():
            raise InputError("images hold values that are not finite; render the scene again.")
        if self.layers is not None and (self.layers.shape[1:] != shape or not np.isfinite(self.layers).all()):
            raise InputError(f"layers have shape {list(self.layers.shape)} or are not finite; render the scene again.")
        object.__setattr__(self, "images", np.clip(self.images, 0.0, FLOAT16_MAX).astype(np.float16))


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
        file.create_dataset("images", data=sample.images, compression="gzip", compression_opts=1, shuffle=True)
        if sample.layers is not None:
            file.create_dataset("layers", data=sample.layers, compression="gzip", compression_opts=1, shuffle=True)

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
        with h5py.File(path if path.is_file() else io.BytesIO(read_bytes(path)), "r") as file:
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
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:  # h5py raises any of these
        raise InputError(f"{path} cannot be read ({error}); delete it and generate the dataset again.") from error
