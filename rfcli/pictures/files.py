"""Pictures on disk: of each image an EXR to keep and a PNG to look at, and a contact sheet of several."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from rfcli.errors import InputError
from rfcli.images import Display, Linear, contact_sheet, to_display, write_exr, write_png

SHEET = "contact-sheet.png"
THUMBNAIL = 256  # side of the pictures on a sheet, pixels; smaller ones stay as they are

Develop = Callable[[Linear], Display]  # exposure and tone mapping, chosen once for a whole run


def developer(exposure: float, tone_mapping: str) -> Develop:
    """`to_display` with these; tried at once, so that a mistake shows before anything is rendered.

    Raises InputError for an exposure that is no number of stops, and as `to_display`.
    """
    if not math.isfinite(exposure):
        raise InputError(f"--exposure {exposure} is not a number of stops; give one such as -1 or 0.5.")
    develop = partial(to_display, exposure=exposure, tone_mapping=tone_mapping)
    develop(np.zeros((1, 1, 3), dtype=np.float32))
    return develop


def write_picture(stem: Path, image: Linear, shown: Display, about: dict[str, str]) -> list[Path]:
    """STEM.png, what is `shown`, and STEM.exr, the image as it is with `about` in its header; their paths."""
    png, exr = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.exr")
    write_exr(exr, image, about)
    write_png(png, shown)
    return [png, exr]


def thumbnail(picture: Display) -> Display:
    """The picture [H, W, 3], made smaller where its width exceeds THUMBNAIL."""
    height, width, _ = picture.shape
    if width <= THUMBNAIL:
        return picture
    size = (THUMBNAIL, round(height * THUMBNAIL / width))
    return np.asarray(Pillow.fromarray(picture).resize(size, Pillow.Resampling.LANCZOS))


def write_sheet(folder: Path, thumbnails: Sequence[Display]) -> Path:
    """All of them in about as many rows as columns; the path."""
    path = folder / SHEET
    write_png(path, contact_sheet(thumbnails, columns=math.ceil(math.sqrt(len(thumbnails)))))
    return path
