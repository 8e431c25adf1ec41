"""Several pictures in one image: contact sheets, and comparisons with titles and scores."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rfcli.pictures.images import Display, DisplaySettings, Linear, write_png
from rfcli.runtime.files import legible

if TYPE_CHECKING:
    from rfcli.metrics.scores import Scores

CONTACT_SHEET = "contact-sheet.png"
MAX_THUMBNAIL, MAX_SHEET = 256, 4096  # sides in pixels

GAP = 8  # white pixels around the pictures of a comparison
TEXT_HEIGHT, LINE_HEIGHT = 15, 24  # pixels
MIN_WIDTH = 320  # pixels of a picture in a comparison; smaller ones are enlarged so that titles are readable


def contact_sheet(images: Sequence[Display], columns: int, gap: int = 2) -> Display:
    """Arrange images of one size in a grid on white.

    Args:
        images: At least one, each [H, W, 3] uint8.
        columns: Images per row.
        gap: White pixels between and around the images.

    Returns:
        The grid, uint8 [rows * (H + gap) + gap, columns * (W + gap) + gap, 3].

    Raises:
        ValueError: There are no images or columns, or the sizes of the images differ.
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


def square_columns(pictures: int) -> int:
    """Number of columns such that the sheet has about as many rows."""
    return math.ceil(math.sqrt(pictures))


def thumbnail(picture: Display, pictures: int = 1) -> Display:
    """The picture [H, W, 3], reduced where needed so that a sheet of this many stays within MAX_SHEET pixels."""
    height, width, _ = picture.shape
    side = min(MAX_THUMBNAIL, max(8, MAX_SHEET // square_columns(pictures)))
    if width <= side:
        return picture
    size = (side, round(height * side / width))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def write_contact_sheet(folder: Path, thumbnails: Sequence[Display]) -> Path:
    """Write contact-sheet.png into the folder; returns its path."""
    path = folder / CONTACT_SHEET
    write_png(path, contact_sheet(thumbnails, square_columns(len(thumbnails))))
    return path


def compare(
    prediction: Linear, reference: Linear, titles: tuple[str, str], display: DisplaySettings
) -> tuple["Scores", Display]:
    """Scores of a prediction, and the image reference | prediction | error.

    Args:
        prediction: [H, W, 3 or 4] linear; alpha is ignored.
        reference: [H, W, 3 or 4] linear.
        titles: Titles of the prediction and of the reference.
        display: Settings by which both are converted for display.

    Returns:
        PSNR, SSIM and the other scores, and the labelled image; the error is the HDR-FLIP map, from black (equal) to
        yellow (worst).
    """
    from rfcli.metrics.scores import score

    scores, error = score(prediction[..., :3], reference[..., :3])
    error_map = np.round(np.clip(error, 0, 1) * 255).astype(np.uint8)
    pictures = [display.convert(reference), display.convert(prediction), error_map]
    return scores, side_by_side(pictures, [titles[1], titles[0], "error (HDR-FLIP)"], scores.line())


def side_by_side(pictures: Sequence[Display], titles: Sequence[str], footer: str) -> Display:
    """Pictures of one size [H, W, 3] in a row on white, a title above each and the footer below all.

    Raises ValueError if there are no pictures or not as many titles.
    """
    if not pictures or len(pictures) != len(titles):
        raise ValueError(f"each picture needs a title; got {len(pictures)} and {len(titles)}")
    factor = max(1, -(-MIN_WIDTH // pictures[0].shape[1]))
    enlarged = [picture.repeat(factor, axis=0).repeat(factor, axis=1) for picture in pictures]
    height, width, _ = enlarged[0].shape
    row = Image.new("RGB", (len(enlarged) * (width + GAP) + GAP, height + 2 * LINE_HEIGHT + GAP), "white")
    draw, font = ImageDraw.Draw(row), ImageFont.load_default(TEXT_HEIGHT)
    for number, (picture, title) in enumerate(zip(enlarged, titles, strict=True)):
        left = GAP + number * (width + GAP)
        draw.text((left, LINE_HEIGHT / 2), fitted(title, width, font), "black", font, anchor="lm")
        row.paste(Image.fromarray(picture), (left, LINE_HEIGHT))
    draw.text((GAP, LINE_HEIGHT + height + (LINE_HEIGHT + GAP) / 2), footer, "black", font, anchor="lm")
    return np.asarray(row)


def fitted(text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """The text if `width` pixels hold it, else an ellipsis and the longest end that fits."""
    text = legible(text)
    if font.getlength(text) <= width:
        return text
    start = next((i for i in range(1, len(text)) if font.getlength(f"…{text[i:]}") <= width), len(text))
    return f"…{text[start:]}"
