"""Pictures on disk: of each image an EXR to keep and a PNG to look at, and a contact sheet of several."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from rfcli.pictures.images import Display, Linear, contact_sheet, write_exr, write_png

SHEET = "contact-sheet.png"
THUMBNAIL, WIDEST = 256, 4096  # sides of the largest picture on a sheet, and of the sheet, pixels


def write_picture(stem: Path, image: Linear, shown: Display, about: dict[str, str]) -> list[Path]:
    """STEM.png, what is `shown`, and STEM.exr, the image as it is with `about` in its header; their paths."""
    png, exr = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.exr")
    write_exr(exr, image, about)
    write_png(png, shown)
    return [png, exr]


def columns(pictures: int) -> int:
    """Of a sheet with about as many rows."""
    return math.ceil(math.sqrt(pictures))


def thumbnail(picture: Display, pictures: int = 1) -> Display:
    """The picture [H, W, 3] for a sheet of so many, made smaller where it is too wide for it."""
    height, width, _ = picture.shape
    side = min(THUMBNAIL, max(8, WIDEST // columns(pictures)))
    if width <= side:
        return picture
    size = (side, round(height * side / width))
    return np.asarray(Pillow.fromarray(picture).resize(size, Pillow.Resampling.LANCZOS))


def write_sheet(folder: Path, thumbnails: Sequence[Display]) -> Path:
    """A contact sheet of them; its path."""
    path = folder / SHEET
    write_png(path, contact_sheet(thumbnails, columns(len(thumbnails))))
    return path
