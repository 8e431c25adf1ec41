"""EXR and PNG round trips, tone mapping against values worked out by hand, contact sheets."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import OpenEXR
import pytest

from rfcli.errors import InputError
from rfcli.images import contact_sheet, pbr_neutral, read_exr, srgb_encode, to_display, write_exr, write_png


def hdr(height: int = 5, width: int = 7) -> np.ndarray:
    return np.exp(np.random.default_rng(0).normal(0, 4, (height, width, 3))).astype(np.float32)


def test_exr_keeps_every_bit_and_the_metadata(tmp_path: Path) -> None:
    image = hdr()
    write_exr(tmp_path / "a.exr", image, {"model": "rf-tiny", "scene": "cornell-box.json"})
    np.testing.assert_array_equal(read_exr(tmp_path / "a.exr"), image)
    assert read_exr(tmp_path / "a.exr").dtype == np.float32
    with OpenEXR.File(str(tmp_path / "a.exr")) as file:
        assert file.header()["model"] == "rf-tiny"
        assert file.header()["scene"] == "cornell-box.json"


def test_exr_keeps_alpha(tmp_path: Path) -> None:
    image = np.concatenate([hdr(), np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7, 1)], axis=-1)
    write_exr(tmp_path / "a.exr", image)
    np.testing.assert_array_equal(read_exr(tmp_path / "a.exr"), image[..., :3])
    with OpenEXR.File(str(tmp_path / "a.exr")) as file:
        np.testing.assert_array_equal(file.channels()["RGBA"].pixels, image)


def test_exr_of_a_view_into_a_larger_array(tmp_path: Path) -> None:
    image = hdr(8, 8)[::2, 1:7]
    write_exr(tmp_path / "a.exr", image)
    np.testing.assert_array_equal(read_exr(tmp_path / "a.exr"), image)


def test_read_exr_of_other_programs(tmp_path: Path) -> None:
    rgba = np.concatenate([hdr(), np.ones((5, 7, 1), np.float32)], axis=-1).astype(np.float16)
    OpenEXR.File({}, {"RGBA": rgba}).write(str(tmp_path / "rgba.exr"))
    np.testing.assert_array_equal(read_exr(tmp_path / "rgba.exr"), rgba[..., :3].astype(np.float32))
    OpenEXR.File({}, {"Z": np.ones((2, 2), np.float32)}).write(str(tmp_path / "depth.exr"))
    with pytest.raises(InputError, match=r"depth\.exr.*R, G, B"):
        read_exr(tmp_path / "depth.exr")


def test_png_round_trip(tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(imageio.imread(tmp_path / "a.png"), image)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.exr").write_text("not EXR")
    for name in ("text.exr", "none.exr"):
        with pytest.raises(InputError, match=name):
            read_exr(tmp_path / name)
    with pytest.raises(InputError, match=r"nowhere.*a\.exr"):
        write_exr(tmp_path / "nowhere" / "a.exr", hdr())
    with pytest.raises(InputError, match=r"nowhere.*a\.png"):
        write_png(tmp_path / "nowhere" / "a.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match=r"\[2, 2\]"):
        write_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8))


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        # darkest 0.04 < 0.08: the offset is 0.04 - 0.04^2 / 0.16 = 0.03
        ((0.04, 0.34, 0.54), (0.01, 0.31, 0.51)),
        # darkest >= 0.08: the offset is 0.04; the peak 0.46 stays below 0.76
        ((0.1, 0.2, 0.5), (0.06, 0.16, 0.46)),
        # grey 1.04: peak 1.00; 1 - 0.24^2 / (1 + 0.24 - 0.76) = 0.88; grey fades to itself
        ((1.04, 1.04, 1.04), (0.88, 0.88, 0.88)),
        # (2.04, 0.04 + 0.5, 0.54): peak 2, new peak 1 - 0.0576 / 1.48 = 0.961081..., scaled by its half,
        # then mixed towards it by 1 - 1 / (0.15 * 1.038918... + 1) = 0.134826...
        ((2.04, 0.54, 0.54), (0.9610811, 0.3374548, 0.3374548)),
    ],
)
def test_pbr_neutral_by_hand(color: tuple[float, ...], expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(pbr_neutral(np.array(color)), expected, atol=2e-7)


def test_pbr_neutral_is_continuous_and_rises_to_one() -> None:
    grey = pbr_neutral(np.repeat(np.linspace(0, 100, 100_001)[:, None], 3, axis=1))[:, 0]
    steps = np.diff(grey)
    assert (steps > 0).all()
    assert steps.max() < 1.01e-3  # the slope is at most 1
    assert 0.999 < grey[-1] < 1


@pytest.mark.parametrize(("linear", "expected"), [(0, 0), (0.0031308, 0.04045), (0.2140411, 0.5), (1, 1), (7, 1)])
def test_srgb_at_known_points(linear: float, expected: float) -> None:
    assert srgb_encode(np.array(linear)) == pytest.approx(expected, abs=1e-5)


def test_to_display() -> None:
    image = np.array([[[0.25, 0.25, 0.25], [np.nan, -1, 0.05], [np.inf, 1, 1]]], np.float32)
    before = image.copy()
    # 0.25 - 0.04 = 0.21 -> sRGB 0.4957; a stop more: 0.5 - 0.04 = 0.46 -> 0.7086; 0.05 -> 0.2478
    np.testing.assert_array_equal(to_display(image)[0], [[126] * 3, [0, 0, 63], [255] * 3])
    np.testing.assert_array_equal(to_display(image, exposure=1.0)[0, 0], [181] * 3)
    np.testing.assert_array_equal(image, before)
    assert to_display(image).dtype == np.uint8


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
