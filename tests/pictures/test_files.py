"""Sheets stay small, however many pictures they show."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from rfcli.pictures.files import columns, thumbnail, write_sheet


@pytest.mark.parametrize(("pictures", "expected"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4), (4800, 70)])
def test_about_as_many_columns_as_rows(pictures: int, expected: int) -> None:
    assert columns(pictures) == expected


@pytest.mark.parametrize(("size", "pictures", "side"), [(64, 1, 64), (512, 2, 256), (512, 256, 256), (512, 4800, 58)])
def test_thumbnails(size: int, pictures: int, side: int) -> None:
    assert thumbnail(np.zeros((size, size, 3), np.uint8), pictures).shape == (side, side, 3)


def test_a_thumbnail_is_the_mean_of_what_it_stands_for() -> None:
    picture = np.zeros((512, 512, 3), np.uint8)
    picture[:, 256:] = 200
    small = thumbnail(picture)
    assert (small[:, :120] == 0).all()
    assert (small[:, 136:] == 200).all()


def test_a_sheet_shows_all(tmp_path: Path) -> None:
    tiles = [np.full((8, 8, 3), 50 * number, np.uint8) for number in range(3)]
    sheet = imageio.imread(write_sheet(tmp_path, tiles))
    assert [int(sheet[6, 6, 0]), int(sheet[6, 16, 0]), int(sheet[16, 6, 0])] == [0, 50, 100]
