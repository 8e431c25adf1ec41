"""Pictures in a row: their places, pixels and titles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rfcli.errors import InputError
from rfcli.pictures import row, to_display, write_exr, write_png
from rfcli.pictures.sheets import GAP, LINE_HEIGHT


def flat(colour: tuple[float, float, float], height: int = 8, width: int = 8) -> np.ndarray:
    return np.broadcast_to(np.float32(colour), (height, width, 3)).copy()


def test_pictures_have_one_height_and_their_own_shapes() -> None:
    sheet = np.asarray(row([flat((1, 0, 0), 10, 20), flat((0, 1, 0), 30, 30)], width=624))
    height = (624 - 3 * GAP) // 3
    assert sheet.shape == (height + 2 * GAP, 624, 3)
    middle = GAP + height // 2
    assert np.array_equal(sheet[middle, GAP + height], to_display(flat((1, 0, 0)))[0, 0])
    assert np.array_equal(sheet[middle, 2 * GAP + 2 * height + height // 2], to_display(flat((0, 1, 0)))[0, 0])
    assert (sheet[0] == 255).all()
    assert (sheet[-1] == 255).all()


@pytest.mark.parametrize("kind", ["array", "tensor", "batch of one", "with alpha", "bytes", "png", "exr", "text"])
def test_pictures_of_every_kind_look_the_same(tmp_path: Path, kind: str) -> None:
    image = flat((0.2, 0.5, 0.8), 16, 16)
    write_png(tmp_path / "a.png", to_display(image))
    write_exr(tmp_path / "a.exr", image)
    given: dict[str, Any] = {
        "array": image,
        "tensor": torch.from_numpy(image),
        "batch of one": image[None],
        "with alpha": np.concatenate([image, image[..., :1]], axis=-1),
        "bytes": to_display(image),
        "png": tmp_path / "a.png",
        "exr": tmp_path / "a.exr",
        "text": str(tmp_path / "a.png"),
    }
    sheet = np.asarray(row([given[kind]], width=80))
    assert np.array_equal(sheet[40, 40], to_display(image)[0, 0])


def test_titles_are_drawn_above_their_pictures() -> None:
    pictures = [flat((1, 1, 1))] * 2
    sheet = np.asarray(row(pictures, ["softmax", ""], width=400))
    assert (sheet[:LINE_HEIGHT, :200] < 128).any()
    assert (sheet[:LINE_HEIGHT, 200:] == 255).all()


@pytest.mark.parametrize(
    ("pictures", "titles", "message"),
    [
        ([], [], "`titles` must be one for each picture"),
        ([flat((1, 1, 1))], ["a", "b"], "got 2 for 1 pictures"),
        ([np.zeros((4, 4))], [], r"shape \[4, 4\]"),
        ([np.zeros((2, 4, 4, 3))], [], r"shape \[2, 4, 4, 3\]"),
        (["missing.png"], [], r"missing\.png: there is no readable image"),
    ],
)
def test_mistakes(pictures: list[Any], titles: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        row(pictures, titles)
