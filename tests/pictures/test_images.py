"""EXR and PNG files, and the conversion from linear to display."""

import os
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import OpenEXR
import pytest

from rfcli.errors import InputError
from rfcli.pictures.images import DisplaySettings, read_exr, to_display, write_exr, write_png


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


@pytest.mark.parametrize("name", [b"m\xfcller", b"\xff", "müller".encode(), b"a b"])
def test_files_of_any_name(tmp_path: Path, name: bytes) -> None:
    folder, image = tmp_path / os.fsdecode(name), hdr()
    folder.mkdir()
    path = folder / f"{os.fsdecode(name)}.exr"
    write_exr(path, image, {"scene": os.fsdecode(name)})
    np.testing.assert_array_equal(read_exr(path), image)
    write_png(path.with_suffix(".png"), to_display(image))
    assert sorted(os.listdir(os.fsencode(folder))) == [name + b".exr", name + b".png"]
    np.testing.assert_array_equal(imageio.imread(path.with_suffix(".png").read_bytes()), to_display(image))


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


def test_read_exr_with_other_channels(tmp_path: Path) -> None:
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


def test_errors_name_the_file(tmp_path: Path) -> None:
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


def test_to_display() -> None:
    image = np.array([[[0.25, 0.25, 0.25], [np.nan, -1, 0.05], [np.inf, 1, 1]]], np.float32)
    before = image.copy()
    # 0.25 - 0.04 = 0.21 -> sRGB 0.4957; a stop more: 0.5 - 0.04 = 0.46 -> 0.7086; 0.05 -> 0.2478
    np.testing.assert_array_equal(to_display(image)[0], [[126] * 3, [0, 0, 63], [255] * 3])
    np.testing.assert_array_equal(to_display(image, exposure=1.0)[0, 0], [181] * 3)
    np.testing.assert_array_equal(image, before)
    assert to_display(image).dtype == np.uint8


def test_to_display_by_another_tone_mapping() -> None:
    image = np.full((1, 1, 3), 0.18, np.float32)
    assert to_display(image, tone_mapping="agx")[0, 0, 0] in (127, 128)  # middle grey to one half
    assert to_display(image, tone_mapping="none")[0, 0, 0] == 118  # 0.4614 x 255
    with pytest.raises(InputError, match=r"'sepia'.*agx"):
        to_display(image, tone_mapping="sepia")


def test_display_settings_are_checked_when_made() -> None:
    for exposure in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="`exposure`"):
            DisplaySettings(exposure)
    with pytest.raises(InputError, match="'sepia'"):
        DisplaySettings(0, "sepia")
