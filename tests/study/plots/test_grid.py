"""The contact sheet of a study."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from rfcli.pictures.images import write_exr
from rfcli.study.plots.grid import GAP, LEFT_MARGIN, MIN_SIDE, TOP_MARGIN, draw_grid, evenly_chosen
from rfcli.study.results.quality import QualityRow, picture_path


def row(count: int, attention: str, psnr: float) -> QualityRow:
    return QualityRow(
        "tessellated", count, attention, "tiny", attention != "performer", count / 1e3, {"psnr": psnr}, None
    )


ROWS = [row(1024, "sdpa", 20.0), row(2048, "sdpa", 19.0), row(1024, "performer", 12.0), row(2048, "performer", 11.0)]


def test_sheet_shows_each_picture_above_its_error(tmp_path: Path) -> None:
    truth = np.full((8, 8, 3), 0.2, np.float32)
    for count in (1024, 2048):
        write_exr(picture_path(tmp_path, "tessellated", count, "truth"), truth)
        write_exr(picture_path(tmp_path, "tessellated", count, "sdpa"), truth)
        write_exr(picture_path(tmp_path, "tessellated", count, "performer"), truth * 4)
    rows = [one for one in ROWS if (one.attention, one.triangles) != ("performer", 2048)]
    pictures = {file: file.read_bytes() for file in tmp_path.iterdir()}
    (path,) = draw_grid(tmp_path / "grid.png", rows, tmp_path)
    assert path == tmp_path / "grid.png"
    assert {file: file.read_bytes() for file in pictures} == pictures
    sheet = imageio.imread(path)
    step = MIN_SIDE + GAP
    assert sheet.shape == (TOP_MARGIN + 4 * step, LEFT_MARGIN + 3 * step, 3)

    def centre(column: int, line: int) -> np.ndarray:
        return sheet[TOP_MARGIN + line * step + MIN_SIDE // 2, LEFT_MARGIN + column * step + MIN_SIDE // 2].astype(int)

    assert np.array_equal(centre(0, 0), centre(1, 0))  # softmax equals the truth here
    assert centre(2, 0).sum() > centre(0, 0).sum()  # four times brighter
    assert centre(1, 1).max() < 10  # no error
    assert centre(2, 1).max() > 60
    assert (centre(2, 3) == 255).all()  # no picture, no error
    assert draw_grid(tmp_path / "none.png", [], tmp_path) == []


@pytest.mark.parametrize(
    ("counts", "chosen"), [([1, 2], [1, 2]), ([1, 2, 4, 8], [1, 2, 4, 8]), ([1, 2, 4, 8, 16, 32, 64], [1, 4, 16, 64])]
)
def test_at_most_four_counts_are_shown(counts: list[int], chosen: list[int]) -> None:
    assert evenly_chosen(counts) == chosen
