"""`preview.png` of a dataset: what it looks like at a glance."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfcli.dataset.manifest import Entry

EVERY = 32  # scenes between updates
SCENES = 48
COLUMNS = 8


def preview_due(scenes: int) -> bool:
    """Whether the sheet is drawn anew after so many new scenes: it doubles at first, then grows evenly."""
    return scenes % EVERY == 0 or (scenes < EVERY and scenes.bit_count() == 1)


def write_preview(folder: Path, entries: "Sequence[Entry]") -> Path:
    """Draw the first views of scenes from all over the dataset; nothing where there are none."""
    from rfcli.dataset.preview import preview_images
    from rfcli.images import contact_sheet, to_display, write_png

    images = [to_display(image) for image in preview_images(folder, entries, SCENES)]
    if images:
        write_png(folder / "preview.png", contact_sheet(images, COLUMNS))
    return folder / "preview.png"
