"""The contact sheet of a study: path-traced images and the mechanisms' pictures side by side, errors below them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from rfcli.errors import InputError
from rfcli.metrics.flip import hdr_flip
from rfcli.pictures.images import Display, Linear, read_exr, to_display, write_png
from rfcli.runtime.files import legible
from rfcli.study.plots.axes import count_label
from rfcli.study.results.quality import TRUTH, QualityRow, picture_path

MAX_COUNTS = 4  # triangle counts of each series, from the smallest to the largest
MIN_SIDE = 160  # pixels: smaller pictures are enlarged by a whole factor
GAP, FONT_SIZE = 8, 14
TOP_MARGIN, LEFT_MARGIN = 44, 130  # pixels

Pixels = npt.NDArray[np.uint8]


def draw_grid(path: Path, rows: Sequence[QualityRow], folder: Path) -> list[Path]:
    """Draw the pictures of the first scene of each series, and below each its HDR-FLIP against the path-traced image.

    Args:
        path: The PNG to write.
        rows: Scores of pictures.
        folder: Folder of the pictures.

    Returns:
        The file; none if there are no rows.

    Raises:
        InputError: A picture has another size than the path-traced image.
    """
    names = list(dict.fromkeys(row.attention for row in rows))
    rows = [row for row in rows if row.number == 0]
    if not rows:
        return []
    by_place = {(row.scene, row.triangles, row.attention): row for row in rows}
    places = [
        (scene, count)
        for scene in dict.fromkeys(row.scene for row in rows)
        for count in evenly_chosen(sorted({row.triangles for row in rows if row.scene == scene}))
    ]
    truths = {place: read_exr(picture_path(folder, *place, TRUTH)) for place in places}
    resolution = len(next(iter(truths.values())))
    side = resolution * max(1, -(-MIN_SIDE // resolution))
    width = LEFT_MARGIN + (1 + len(names)) * (side + GAP)
    sheet = Image.new("RGB", (width, TOP_MARGIN + len(places) * 2 * (side + GAP)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for column, name in enumerate((TRUTH, *names)):
        trained = all(row.trained for row in rows if row.attention == name)
        title = name if trained else f"{name}\nuntrained swap"
        left = LEFT_MARGIN + column * (side + GAP)
        pen.multiline_text((left, TOP_MARGIN / 2), title, "black", font, anchor="lm", spacing=2)
    for line, place in enumerate(places):
        top = TOP_MARGIN + line * 2 * (side + GAP)
        pen.multiline_text(
            (GAP, top + side / 2), f"{legible(place[0])}\n{count_label(place[1])} triangles", "black", font, "lm"
        )
        pen.multiline_text((GAP, top + side * 1.5 + GAP), "error\n(HDR-FLIP)", "black", font, "lm")
        truth = truths[place]
        sheet.paste(enlarged(to_display(truth), side), (LEFT_MARGIN, top))
        for column, name in enumerate(names, start=1):
            left, row = LEFT_MARGIN + column * (side + GAP), by_place.get((*place, name))
            if row is None:
                pen.text((left, top + side / 2), "too little time", "#555555", font, anchor="lm")
                continue
            picture = picture_path(folder, *place, name)
            image = read_exr(picture)
            if image.shape != truth.shape:
                raise InputError(f"{picture} has another size than the path-traced image next to it; measure again.")
            sheet.paste(enlarged(to_display(image), side), (left, top))
            sheet.paste(enlarged(error_map(image, truth), side), (left, top + side + GAP))
    write_png(path, np.asarray(sheet))
    return [path]


def evenly_chosen(counts: Sequence[int]) -> list[int]:
    """At most MAX_COUNTS of the counts: the first, the last, and others evenly between them."""
    chosen = np.linspace(0, len(counts) - 1, min(MAX_COUNTS, len(counts))).round().astype(int)
    return [counts[index] for index in chosen]


def error_map(image: Linear, truth: Linear) -> Display:
    """HDR-FLIP in the magma colour map [R, R, 3]: black is equal."""
    _, error = hdr_flip(image, truth)
    return np.asarray(np.round(np.clip(error, 0, 1) * 255), dtype=np.uint8)


def enlarged(picture: Pixels, side: int) -> Image.Image:
    """The picture [R, R, 3] at `side` pixels along a side; each pixel becomes a square."""
    return Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST)
