"""The pictures of a study on one sheet: truth and mechanisms side by side, each picture above its error."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from rfcli.errors import InputError
from rfcli.metrics.flip import hdr_flip
from rfcli.pictures.images import Display, Linear, read_exr, to_display, write_png
from rfcli.study.plots.axes import count_label
from rfcli.study.quality import TRUTH, QualityRow, picture_path

MOST_COUNTS = 4  # of each scene: from the smallest to the largest
NARROWEST = 160  # pixels: smaller pictures are enlarged by a whole factor
GAP, TEXT = 8, 14
HEAD, MARGIN = 44, 130  # pixels above the pictures and left of them

Pixels = npt.NDArray[np.uint8]


def draw_grid(path: Path, rows: Sequence[QualityRow], folder: Path) -> list[Path]:
    """Write the sheet of the pictures that lie in `folder`; returns its path, or nothing where there are no rows.

    Two lines for the first scene of each series and count, of at most MOST_COUNTS counts: the pictures, and maps of
    HDR-FLIP against the truth, in which black is equal.
    """
    names = list(dict.fromkeys(row.attention for row in rows))
    rows = [row for row in rows if row.number == 0]
    if not rows:
        return []
    by_place = {(row.scene, row.triangles, row.attention): row for row in rows}
    places = [
        (scene, count)
        for scene in dict.fromkeys(row.scene for row in rows)
        for count in spread_counts(sorted({row.triangles for row in rows if row.scene == scene}))
    ]
    truths = {place: read_exr(picture_path(folder, *place, TRUTH)) for place in places}
    resolution = len(next(iter(truths.values())))
    side = resolution * max(1, -(-NARROWEST // resolution))
    width = MARGIN + (1 + len(names)) * (side + GAP)
    sheet = Image.new("RGB", (width, HEAD + len(places) * 2 * (side + GAP)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for column, name in enumerate((TRUTH, *names)):
        trained = all(row.trained for row in rows if row.attention == name)
        title = name if trained else f"{name}\nuntrained swap"
        pen.multiline_text((MARGIN + column * (side + GAP), HEAD / 2), title, "black", font, anchor="lm", spacing=2)
    for line, place in enumerate(places):
        top = HEAD + line * 2 * (side + GAP)
        pen.multiline_text((GAP, top + side / 2), f"{place[0]}\n{count_label(place[1])} triangles", "black", font, "lm")
        pen.multiline_text((GAP, top + side * 1.5 + GAP), "error\n(HDR-FLIP)", "black", font, "lm")
        truth = truths[place]
        sheet.paste(enlarged(to_display(truth), side), (MARGIN, top))
        for column, name in enumerate(names, start=1):
            left, row = MARGIN + column * (side + GAP), by_place.get((*place, name))
            if row is None:
                pen.text((left, top + side / 2), "no time for it", "#555555", font, anchor="lm")
                continue
            picture = picture_path(folder, *place, name)
            image = read_exr(picture)
            if image.shape != truth.shape:
                raise InputError(f"{picture} is not as large as the truth beside it; measure again.")
            sheet.paste(enlarged(to_display(image), side), (left, top))
            sheet.paste(enlarged(error_map(image, truth), side), (left, top + side + GAP))
    write_png(path, np.asarray(sheet))
    return [path]


def spread_counts(counts: Sequence[int]) -> list[int]:
    """At most MOST_COUNTS of them, the first, the last, and others evenly between."""
    chosen = np.linspace(0, len(counts) - 1, min(MOST_COUNTS, len(counts))).round().astype(int)
    return [counts[index] for index in chosen]


def error_map(image: Linear, truth: Linear) -> Display:
    """HDR-FLIP in the magma colours [R, R, 3]."""
    _, error = hdr_flip(image, truth)
    return np.asarray(np.round(np.clip(error, 0, 1) * 255), dtype=np.uint8)


def enlarged(picture: Pixels, side: int) -> Image.Image:
    """The picture [R, R, 3] with each pixel a square of them."""
    return Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST)
