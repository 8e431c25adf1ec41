"""Pictures side by side, each under its title, a line of text below all of them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rfcli.pictures.images import Display

GAP = 8  # white pixels between and around
TEXT = 15  # height of the letters
STRIP = 24  # height of a line
NARROWEST = 320  # pixels: smaller pictures are enlarged by a whole factor, so that their titles can be read


def side_by_side(pictures: Sequence[Display], titles: Sequence[str], footer: str) -> Display:
    """Pictures of one size [H, W, 3] in a row on white; titles too long for their picture lose their beginning.

    Raises ValueError where there are no pictures, or not as many titles.
    """
    if not pictures or len(pictures) != len(titles):
        raise ValueError(f"each picture needs a title; got {len(pictures)} and {len(titles)}")
    factor = max(1, -(-NARROWEST // pictures[0].shape[1]))
    enlarged = [picture.repeat(factor, axis=0).repeat(factor, axis=1) for picture in pictures]
    height, width, _ = enlarged[0].shape
    row = Image.new("RGB", (len(enlarged) * (width + GAP) + GAP, height + 2 * STRIP + GAP), "white")
    draw, font = ImageDraw.Draw(row), ImageFont.load_default(TEXT)
    for number, (picture, title) in enumerate(zip(enlarged, titles, strict=True)):
        left = GAP + number * (width + GAP)
        draw.text((left, STRIP / 2), fitted(title, width, font), "black", font, anchor="lm")
        row.paste(Image.fromarray(picture), (left, STRIP))
    draw.text((GAP, STRIP + height + (STRIP + GAP) / 2), footer, "black", font, anchor="lm")
    return np.asarray(row)


def fitted(text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """The text, or an ellipsis and as much of its end as `width` pixels hold."""
    if font.getlength(text) <= width:
        return text
    start = next((i for i in range(1, len(text)) if font.getlength(f"…{text[i:]}") <= width), len(text))
    return f"…{text[start:]}"
