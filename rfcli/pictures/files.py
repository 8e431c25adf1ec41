"""Pictures on disk: of each image an EXR to keep and a PNG to look at, and a contact sheet of several."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from rfcli.images import Display, Linear, contact_sheet, write_exr, write_png

SHEET = "contact-sheet.png"
THUMBNAIL = 256  # side of the pictures on a sheet, pixels; smaller ones stay as they are

Develop = Callable[[Linear], Display]  # exposure and tone mapping, chosen once for a whole run


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
