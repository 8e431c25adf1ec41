"""The quality figure and the sheet of pictures."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from rfcli.pictures.images import write_exr
from rfcli.study.plots.grid import GAP, HEAD, MARGIN, NARROWEST, draw_grid, spread_counts
from rfcli.study.plots.quality import draw_quality
from rfcli.study.quality import QualityRow, picture_path


def row(count: int, attention: str, psnr: float) -> QualityRow:
    return QualityRow(
        "tessellated", count, attention, "tiny", attention != "performer", count / 1e3, {"psnr": psnr}, None
    )


ROWS = [row(1024, "sdpa", 20.0), row(2048, "sdpa", 19.0), row(1024, "performer", 12.0), row(2048, "performer", 11.0)]


def test_the_figure_says_what_is_untrained_and_where_it_was_measured(tmp_path: Path) -> None:
    paths = draw_quality(tmp_path, ROWS, ["sdpa", "nearfar", "performer"], "A processor, 2 threads.")
    assert [path.name for path in paths] == ["quality.png", "quality.svg"]
    text = paths[1].read_text()
    for words in ("<!-- performer (untrained) -->", "<!-- sdpa -->", "A processor", "untrained swap", "1k to 2k"):
        assert words in text
    assert "0072b2" in text  # performer is the third of all mechanisms, here as elsewhere
    assert "d55e00" not in text
    assert draw_quality(tmp_path / "nowhere", [], [], "") == []


def test_the_sheet_shows_each_picture_above_its_error(tmp_path: Path) -> None:
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
    step = NARROWEST + GAP
    assert sheet.shape == (HEAD + 4 * step, MARGIN + 3 * step, 3)

    def centre(column: int, line: int) -> np.ndarray:
        return sheet[HEAD + line * step + NARROWEST // 2, MARGIN + column * step + NARROWEST // 2].astype(int)

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
    assert spread_counts(counts) == chosen
