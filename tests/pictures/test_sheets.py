"""Contact sheets, thumbnails, and comparisons with titles and scores."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import ImageFont

from rfcli.pictures.images import DisplaySettings, to_display
from rfcli.pictures.sheets import (
    GAP,
    LINE_HEIGHT,
    compare,
    contact_sheet,
    fitted,
    side_by_side,
    square_columns,
    thumbnail,
    write_contact_sheet,
)


def test_contact_sheet_layout() -> None:
    images = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30, 40, 50)]
    sheet = contact_sheet(images, columns=3, gap=2)
    assert sheet.shape == (2 * 4 + 3 * 2, 3 * 6 + 4 * 2, 3)
    assert (sheet[2:6, 2:8] == 10).all()
    assert (sheet[2:6, 18:24] == 30).all()
    assert (sheet[8:12, 10:16] == 50).all()
    assert (sheet[8:12, 18:24] == 255).all()  # no sixth image
    assert (sheet[:2] == 255).all()
    assert (sheet[:, 8:10] == 255).all()


def test_contact_sheet_of_fewer_images_than_columns_and_of_none() -> None:
    assert contact_sheet([np.zeros((4, 6, 3), np.uint8)], columns=5, gap=0).shape == (4, 6, 3)
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], columns=2)
    with pytest.raises(ValueError, match="one size"):
        contact_sheet([np.zeros((4, 6, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)], columns=2)


@pytest.mark.parametrize(("pictures", "expected"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4), (4800, 70)])
def test_columns_are_about_as_many_as_rows(pictures: int, expected: int) -> None:
    assert square_columns(pictures) == expected


@pytest.mark.parametrize(("size", "pictures", "side"), [(64, 1, 64), (512, 2, 256), (512, 256, 256), (512, 4800, 58)])
def test_thumbnail_sizes(size: int, pictures: int, side: int) -> None:
    assert thumbnail(np.zeros((size, size, 3), np.uint8), pictures).shape == (side, side, 3)


def test_thumbnails_are_averaged() -> None:
    picture = np.zeros((512, 512, 3), np.uint8)
    picture[:, 256:] = 200
    small = thumbnail(picture)
    assert (small[:, :120] == 0).all()
    assert (small[:, 136:] == 200).all()


def test_contact_sheet_file_shows_all_pictures(tmp_path: Path) -> None:
    tiles = [np.full((8, 8, 3), 50 * number, np.uint8) for number in range(3)]
    sheet = imageio.imread(write_contact_sheet(tmp_path, tiles))
    assert [int(sheet[6, 6, 0]), int(sheet[6, 16, 0]), int(sheet[16, 6, 0])] == [0, 50, 100]


def picture(size: int = 320) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 2, size), np.linspace(0, 1, size))
    return np.stack([x, y, x * y], -1).astype(np.float32)


def test_comparison_shows_reference_prediction_and_error() -> None:
    reference = picture()
    prediction = reference.copy()
    prediction[:, 160:] *= 4
    display = DisplaySettings(exposure=-1, tone_mapping="agx")
    scores, row = compare(prediction, reference, ("mine", "theirs"), display)
    left, middle, right = (
        row[LINE_HEIGHT : LINE_HEIGHT + 320, GAP + n * (320 + GAP) :][:, :320].astype(float) for n in range(3)
    )
    np.testing.assert_array_equal(left, to_display(reference, -1, "agx"))
    np.testing.assert_array_equal(middle, to_display(prediction, -1, "agx"))
    assert right[:, 200:].mean() > 10 * right[:, :120].mean()
    assert 5 < scores.psnr < 40


def test_alpha_is_ignored() -> None:
    image = picture(16)
    alpha = np.concatenate([image, np.full((16, 16, 1), 0.5, np.float32)], -1)
    np.testing.assert_array_equal(DisplaySettings().convert(alpha), to_display(image))
    scores, _ = compare(alpha, image, ("a", "b"), DisplaySettings())
    assert scores.psnr == pytest.approx(100)


def test_small_pictures_are_enlarged() -> None:
    tiles = [np.full((100, 200, 3), value, np.uint8) for value in (10, 120, 200)]
    row = side_by_side(tiles, ["a", "b", "c"], "numbers")
    assert row.shape == (2 * 100 + 2 * LINE_HEIGHT + GAP, 3 * 400 + 4 * GAP, 3)
    for number, tile in enumerate(tiles):
        left = GAP + number * (400 + GAP)
        assert (row[LINE_HEIGHT : LINE_HEIGHT + 200, left : left + 400] == tile[0, 0]).all()
    assert (row[LINE_HEIGHT : LINE_HEIGHT + 200, :GAP] == 255).all()


def test_large_pictures_keep_their_size() -> None:
    tile = np.random.default_rng(0).integers(0, 256, (330, 330, 3), dtype=np.uint8)
    row = side_by_side([tile], ["a"], "")
    assert (row[LINE_HEIGHT : LINE_HEIGHT + 330, GAP : GAP + 330] == tile).all()


def test_titles_and_footer_stay_in_their_lines() -> None:
    tiles = [np.full((320, 320, 3), 255, np.uint8)] * 2
    row = side_by_side(tiles, ["a very long title " * 9, "prediction"], "PSNR 20.00 dB")
    assert row[:LINE_HEIGHT].min() < 40
    assert row[LINE_HEIGHT + 320 :].min() < 40
    assert (row[LINE_HEIGHT : LINE_HEIGHT + 320] == 255).all()
    assert (row[:, GAP + 320 : GAP + 320 + GAP] == 255).all()  # the long title does not reach the next column


def test_long_titles_keep_their_end() -> None:
    font = ImageFont.load_default(15)
    assert fitted("short", 100, font) == "short"
    cut = fitted("/a/very/long/way/to/the/model (sdpa)", 100, font)
    assert cut.startswith("…")
    assert cut.endswith("(sdpa)")
    assert font.getlength(cut) <= 100
    assert fitted("wide", 1, font) == "…"


def test_side_by_side_needs_a_title_per_picture() -> None:
    with pytest.raises(ValueError, match="title"):
        side_by_side([np.zeros((8, 8, 3), np.uint8)], [], "")
