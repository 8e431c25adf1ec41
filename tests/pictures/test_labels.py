"""Where pictures and letters lie."""

import numpy as np
import pytest
from PIL import ImageFont

from rfcli.pictures.labels import GAP, STRIP, fitted, side_by_side


def test_small_pictures_are_enlarged_and_stand_in_their_order() -> None:
    tiles = [np.full((100, 200, 3), value, np.uint8) for value in (10, 120, 200)]
    row = side_by_side(tiles, ["a", "b", "c"], "numbers")
    assert row.shape == (2 * 100 + 2 * STRIP + GAP, 3 * 400 + 4 * GAP, 3)
    for number, tile in enumerate(tiles):
        left = GAP + number * (400 + GAP)
        assert (row[STRIP : STRIP + 200, left : left + 400] == tile[0, 0]).all()
    assert (row[STRIP : STRIP + 200, :GAP] == 255).all()


def test_large_pictures_keep_their_size() -> None:
    tile = np.random.default_rng(0).integers(0, 256, (330, 330, 3), dtype=np.uint8)
    row = side_by_side([tile], ["a"], "")
    assert (row[STRIP : STRIP + 330, GAP : GAP + 330] == tile).all()


def test_letters_are_dark_on_white_and_keep_to_their_strips() -> None:
    tiles = [np.full((320, 320, 3), 255, np.uint8)] * 2
    row = side_by_side(tiles, ["a very long title " * 9, "prediction"], "PSNR 20.00 dB")
    assert row[:STRIP].min() < 40
    assert row[STRIP + 320 :].min() < 40
    assert (row[STRIP : STRIP + 320] == 255).all()
    assert (row[:, GAP + 320 : GAP + 320 + GAP] == 255).all()  # the long title does not run into its neighbour


def test_titles_lose_their_beginning() -> None:
    font = ImageFont.load_default(15)
    assert fitted("short", 100, font) == "short"
    cut = fitted("/a/very/long/way/to/the/model (sdpa)", 100, font)
    assert cut.startswith("…")
    assert cut.endswith("(sdpa)")
    assert font.getlength(cut) <= 100
    assert fitted("wide", 1, font) == "…"


def test_each_picture_has_a_title() -> None:
    with pytest.raises(ValueError, match="title"):
        side_by_side([np.zeros((8, 8, 3), np.uint8)], [], "")
