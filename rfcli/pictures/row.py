"""Pictures in a row with titles: what a notebook shows of several renders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rfcli.errors import InputError
from rfcli.pictures.images import Display, read_exr, to_display
from rfcli.pictures.sheets import GAP, LINE_HEIGHT, TEXT_HEIGHT, fitted


def row(pictures: Sequence[Any], titles: Sequence[str] = (), width: int = 960) -> Image.Image:
    """Pictures of any sizes next to each other, all of one height, with a title above each.

    Args:
        pictures: Paths of image files; arrays or tensors [H, W, 3] or [1, H, W, 3], of linear radiance if they are
            real numbers, else of sRGB from 0 to 255.
        titles: One for each picture; none by default.
        width: Of the whole row in pixels.

    Returns:
        An image, which a notebook shows if it is the last value of a cell.

    Raises:
        InputError: There are no pictures, one of them cannot be read, or their number differs from that of titles.
    """
    if not pictures or (titles and len(titles) != len(pictures)):
        raise InputError(f"`titles` must be one for each picture; got {len(titles)} for {len(pictures)} pictures.")
    images = [Image.fromarray(_pixels(picture)) for picture in pictures]
    shapes = [image.width / image.height for image in images]
    height = max(1, round((width - GAP * (len(images) + 1)) / sum(shapes)))
    top = LINE_HEIGHT if titles else GAP
    sheet = Image.new("RGB", (width, top + height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_HEIGHT)
    left = GAP
    for number, (image, shape) in enumerate(zip(images, shapes, strict=True)):
        size = (max(1, round(height * shape)), height)
        sheet.paste(image.resize(size, Image.Resampling.LANCZOS), (left, top))
        if titles:
            draw.text((left, LINE_HEIGHT / 2), fitted(titles[number], size[0], font), "black", font, anchor="lm")
        left += size[0] + GAP
    return sheet


def _pixels(picture: Any) -> Display:
    """[H, W, 3] uint8 sRGB."""
    if isinstance(picture, (str, Path)):
        if Path(picture).suffix.lower() == ".exr":
            return to_display(read_exr(picture))
        try:
            with Image.open(picture) as image:
                return np.asarray(image.convert("RGB"))
        except OSError:
            raise InputError(f"{picture}: there is no readable image; check the name or write it again.") from None
    values = np.asarray(picture)
    values = values[0] if values.ndim == 4 and len(values) == 1 else values
    if values.ndim != 3 or values.shape[-1] not in (3, 4):
        raise InputError(f"A picture has shape {list(np.shape(picture))}; give [H, W, 3], such as images[0].")
    return to_display(values[..., :3]) if values.dtype.kind == "f" else values[..., :3].astype(np.uint8)
