"""Image files: linear HDR images as EXR, sRGB images as PNG, and the conversion from one to the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio.v3 as imageio
import numpy as np
import numpy.typing as npt
import OpenEXR

from rfcli.errors import InputError
from rfcli.pictures.tone_mapping import TONE_MAPPINGS
from rfcli.runtime.files import is_text, legible, replacing

Linear = npt.NDArray[np.float32]
Display = npt.NDArray[np.uint8]

MAX_STOPS = 100  # of exposure, in either direction; a radiance of 1 then becomes 10^30


def write_exr(path: str | Path, image: Linear, metadata: dict[str, str] | None = None) -> None:
    """Write a linear HDR image as a float32 EXR with lossless compression.

    Args:
        path: The file; an existing one is replaced.
        image: [H, W, 3] linear radiance, or [H, W, 4] with alpha.
        metadata: Text attributes for the header of the file.

    Raises:
        InputError: The file cannot be written.
    """
    alpha = image.ndim == 3 and image.shape[-1] == 4
    pixels = np.ascontiguousarray(image if alpha else _checked(image), dtype=np.float32)
    texts = {name: legible(text) for name, text in (metadata or {}).items()}
    header = {**texts, "compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    try:
        with replacing(Path(path)) as temporary, _openable(temporary) as name:
            OpenEXR.File(header, {"RGBA" if alpha else "RGB": pixels}).write(str(name))
            if name != temporary:
                temporary.write_bytes(name.read_bytes())
    except (OSError, RuntimeError) as error:
        raise _cannot_write(path, error) from error


@contextmanager
def _openable(path: Path) -> Iterator[Path]:
    """A path that OpenEXR can open: the path itself, or that of a copy if its name is not text."""
    if is_text(path):
        yield path
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder, "image.exr")
        if path.is_file():
            copy.write_bytes(path.read_bytes())
        yield copy


def read_exr(path: str | Path) -> Linear:
    """Read the colour channels of an EXR file; alpha and other channels are ignored.

    Args:
        path: The file.

    Returns:
        [H, W, 3] float32, linear.

    Raises:
        InputError: The file is missing or broken, or has no channels R, G, B.
    """
    try:
        with _openable(Path(path)) as name, OpenEXR.File(str(name)) as file:
            channels = file.channels()
            kind = next((kind for kind in ("RGB", "RGBA") if kind in channels), None)
            if kind is None:
                raise InputError(f"{path}: the image has no channels R, G, B; export it with colour.")
            return np.asarray(channels[kind].pixels[..., :3], dtype=np.float32)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: there is no readable EXR image; check the name or write it again.") from error


def write_png(path: str | Path, image: Display) -> None:
    """Write an sRGB image as PNG.

    Args:
        path: The file; an existing one is replaced.
        image: [H, W, 3] uint8.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        with replacing(Path(path)) as temporary:
            imageio.imwrite(temporary, _checked(image), extension=".png")
    except OSError as error:
        raise _cannot_write(path, error) from error


def to_display(image: Linear, exposure: float = 0.0, tone_mapping: str = "pbr-neutral") -> Display:
    """Convert a linear HDR image to sRGB. NaN and negative values become black, infinity white.

    Args:
        image: [H, W, 3] linear radiance.
        exposure: In stops; each doubles the radiance.
        tone_mapping: One of `rfcli.pictures.tone_mapping.TONE_MAPPINGS`.

    Returns:
        [H, W, 3] uint8, sRGB-encoded.

    Raises:
        InputError: The tone mapping is not known, or needs a package that is not installed.
    """
    if tone_mapping not in TONE_MAPPINGS:
        raise InputError(f"`tone_mapping` '{tone_mapping}' is not known; use one of: {', '.join(TONE_MAPPINGS)}.")
    radiance = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=1e9)
    shown = TONE_MAPPINGS[tone_mapping](np.maximum(radiance, 0) * 2.0**exposure)
    return np.round(shown * 255).astype(np.uint8)


@dataclass(frozen=True)
class DisplaySettings:
    """How linear images are converted to PNG and video; checked when made, before anything is rendered.

    Attributes:
        exposure: In stops, -100 to 100.
        tone_mapping: One of `rfcli.pictures.tone_mapping.TONE_MAPPINGS`.

    Raises:
        InputError: The exposure is out of range, or as `to_display`.
    """

    exposure: float = 0.0
    tone_mapping: str = "pbr-neutral"

    def __post_init__(self) -> None:
        if not abs(self.exposure) <= MAX_STOPS:  # also true for nan
            raise InputError(f"`exposure` {self.exposure} is not a number of stops; give one such as -1 or 0.5.")
        self.convert(np.zeros((1, 1, 3), dtype=np.float32))

    def convert(self, image: Linear) -> Display:
        """Linear [H, W, 3 or 4] to sRGB [H, W, 3]; alpha is dropped."""
        return to_display(image[..., :3], self.exposure, self.tone_mapping)


def _checked(image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The image, if its shape is [H, W, 3]."""
    if image.ndim != 3 or image.shape[-1] != 3 or image.size == 0:
        raise ValueError(f"an image is [H, W, 3]; got {list(image.shape)}")
    return image


def _cannot_write(path: str | Path, error: OSError | RuntimeError) -> InputError:
    reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
    return InputError(f"{path}: the image cannot be written ({reason}); free some space or write to another folder.")
