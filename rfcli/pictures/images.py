"""Images: linear HDR in EXR, sRGB in PNG, from one to the other, contact sheets."""

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import numpy.typing as npt
import OpenEXR

from rfcli.errors import InputError
from rfcli.pictures.tone_mapping import TONE_MAPPINGS
from rfcli.runtime.files import replacing

Linear = npt.NDArray[np.float32]
Display = npt.NDArray[np.uint8]


def write_exr(path: str | Path, image: Linear, metadata: dict[str, str] | None = None) -> None:
    """Write a linear HDR image [H, W, 3], or with alpha [H, W, 4], as a float32 EXR, losslessly compressed.

    metadata: text attributes for the file's header (what made the image).
    Raises InputError where the file cannot be written.
    """
    alpha = image.ndim == 3 and image.shape[-1] == 4
    pixels = np.ascontiguousarray(image if alpha else _checked(image), dtype=np.float32)
    header = {**(metadata or {}), "compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    try:
        with replacing(Path(path)) as beside:
            OpenEXR.File(header, {"RGBA" if alpha else "RGB": pixels}).write(str(beside))
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: the image cannot be written ({_why(error)}); free space or give another --out."
        ) from error


def read_exr(path: str | Path) -> Linear:
    """Read the colour of an EXR as float32 [H, W, 3]; alpha and other channels are left out.

    Raises InputError where the file is missing, broken, or has no red, green and blue.
    """
    try:
        with OpenEXR.File(str(path)) as file:
            channels = file.channels()
            name = next((name for name in ("RGB", "RGBA") if name in channels), None)
            if name is None:
                raise InputError(f"{path}: the image has no channels R, G, B; export it with colour.")
            return np.asarray(channels[name].pixels[..., :3], dtype=np.float32)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: there is no readable EXR image; check the name or write it again.") from error


def write_png(path: str | Path, image: Display) -> None:
    """Write an sRGB image, uint8 [H, W, 3]. Raises InputError where the file cannot be written."""
    try:
        with replacing(Path(path)) as beside:
            imageio.imwrite(beside, _checked(image), extension=".png")
    except OSError as error:
        raise InputError(
            f"{path}: the image cannot be written ({_why(error)}); free space or give another --out."
        ) from error


def to_display(image: Linear, exposure: float = 0.0, tone_mapping: str = "pbr-neutral") -> Display:
    """Linear HDR [H, W, 3] to sRGB uint8 for the eye: exposure in stops, then one of `TONE_MAPPINGS`.

    NaN and what is below 0 are shown as black, infinity as white.
    Raises InputError where the tone mapping is not known or needs a package that is not installed.
    """
    if tone_mapping not in TONE_MAPPINGS:
        raise InputError(f"tone mapping '{tone_mapping}' is not known; use one of: {', '.join(TONE_MAPPINGS)}.")
    radiance = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=1e9)
    shown = TONE_MAPPINGS[tone_mapping](np.maximum(radiance, 0) * 2.0**exposure)
    return np.round(shown * 255).astype(np.uint8)


def contact_sheet(images: Sequence[Display], columns: int, gap: int = 2) -> Display:
    """Images of one size [H, W, 3] in rows of `columns`, `gap` white pixels between and around them.

    Raises ValueError where there are no images or their sizes differ.
    """
    if not images or columns < 1:
        raise ValueError("a contact sheet needs at least one image and one column")
    height, width, _ = images[0].shape
    if any(image.shape != images[0].shape for image in images):
        raise ValueError(f"images of a contact sheet have one size; got {sorted({i.shape for i in images})}")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, dtype=np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def _checked(image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The image, if it is [H, W, 3]."""
    if image.ndim != 3 or image.shape[-1] != 3 or image.size == 0:
        raise ValueError(f"an image is [H, W, 3]; got {list(image.shape)}")
    return image


def _why(error: OSError | RuntimeError) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
