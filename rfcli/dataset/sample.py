"""One scene of a dataset: what the network is given and what it should see."""

import io
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from rfcli.dataset.stored import bytes_of
from rfcli.errors import InputError
from rfcli.runtime.files import replacing
from rfcli.scene import TriangleScene
from rfcli.scene.hdf5_arrays import MOST_NUMBERS, holds, in_single, read_array
from rfcli.scene.hdf5_bytes import hdf5_bytes

HALF_MAX = 65504.0  # the largest float16
FIELDS = ("triangles", "vn", "material", "c2w", "fov")


@dataclass(frozen=True)
class Sample:
    """A scene and its images [V, H, W, 3], linear radiance as float16, clamped to what float16 holds.

    layers [L, V, H, W, 3]: the images by each of the lights alone, whose sum they are; None where nobody rendered them.
    Raises InputError where the images or layers do not fit the scene's cameras, or are not finite.
    """

    scene: TriangleScene
    images: npt.NDArray[np.float16]
    layers: npt.NDArray[np.float16] | None = None

    def __post_init__(self) -> None:
        shape = self.images.shape
        if len(shape) != 4 or shape[0] != len(self.scene.c2w) or shape[1] != shape[2] or shape[3] != 3:
            raise InputError(f"images have shape {list(shape)}; {len(self.scene.c2w)} cameras need [V, R, R, 3].")
        if not np.isfinite(self.images).all():
            raise InputError("images hold numbers that are not finite; render the scene again.")
        if self.layers is not None and (self.layers.shape[1:] != shape or not np.isfinite(self.layers).all()):
            raise InputError(f"layers have shape {list(self.layers.shape)} or are not finite; render the scene again.")
        object.__setattr__(self, "images", np.clip(self.images, 0.0, HALF_MAX).astype(np.float16))


def check_size(views: int, resolution: int, lights: int = 1) -> None:
    """Raises InputError where a scene's images, or those by each light alone, are more than `read_sample` reads."""
    numbers = 3 * views * resolution**2 * lights
    if numbers > MOST_NUMBERS:
        raise InputError(
            f"--views {views} of --resolution {resolution} are {numbers:,} numbers a scene, more than "
            f"{MOST_NUMBERS:,}; lower one of them."
        )


def write_sample(path: str | Path, sample: Sample) -> None:
    """Write the sample as HDF5: whole or not at all, the same bytes each time. Raises OSError where that fails."""
    content = hdf5_of(sample)
    with replacing(Path(path)) as beside:
        beside.write_bytes(content)


def hdf5_of(sample: Sample) -> bytes:
    """The sample as an HDF5 file."""

    def fill(file: h5py.File) -> None:
        for name in FIELDS:
            file.create_dataset(name, data=getattr(sample.scene, name), compression="gzip", compression_opts=1)
        file.create_dataset("images", data=sample.images, compression="gzip", compression_opts=1, shuffle=True)
        if sample.layers is not None:
            file.create_dataset("layers", data=sample.layers, compression="gzip", compression_opts=1, shuffle=True)

    return hdf5_bytes(fill, libver="v110")


def read_sample(path: str | Path) -> Sample:
    """Read a sample, also out of a TAR (`stored`).

    Raises InputError where it is missing, broken, lacks a field, or holds anything else than
    `rfcli.scene.hdf5_arrays` reads: datasets come from strangers, too.
    """
    path = Path(path)
    try:
        with h5py.File(path if path.is_file() else io.BytesIO(bytes_of(path)), "r") as file:
            missing = [name for name in (*FIELDS, "images") if not holds(file, name)]
            if missing:
                raise InputError(f"{path} has no {', '.join(missing)}; it is not a sample of `rf gen-data`.")
            arrays = {name: in_single(read_array(file, path, name, None)) for name in FIELDS}
            images = read_array(file, path, "images", (None, None, None, 3))
            layers = read_array(file, path, "layers", (None,) * 4 + (3,)) if holds(file, "layers") else None
        return Sample(TriangleScene(**arrays), images, layers)
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:  # h5py's for broken files, one or other
        raise InputError(f"{path} cannot be read ({error}); delete it and run `rf gen-data` again.") from error
