"""Encoded videos are read back; frames of an interrupted run are kept."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.pictures.animation import Frames
from rfcli.pictures.video import check_ffmpeg, write_gif, write_mp4


def greys(size: int, count: int = 6) -> list[np.ndarray]:
    return [np.full((size, size, 3), 40 * number, np.uint8) for number in range(count)]


@pytest.mark.parametrize("size", [64, 72, 264])
def test_mp4(tmp_path: Path, size: int) -> None:
    write_mp4(tmp_path / "v.mp4", iter(greys(size)), fps=12)
    read = imageio.imread(tmp_path / "v.mp4")
    assert read.shape == (6, size, size, 3)
    np.testing.assert_allclose(read.mean((1, 2, 3)), [0, 40, 80, 120, 160, 200], atol=4)
    assert imageio.immeta(tmp_path / "v.mp4")["fps"] == 12
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize(("size", "shown"), [(64, 64), (512, 256)])
def test_gif(tmp_path: Path, size: int, shown: int) -> None:
    write_gif(tmp_path / "v.gif", iter(greys(size)), fps=20)
    read = imageio.imread(tmp_path / "v.gif")
    assert read.shape == (6, shown, shown, 3)
    np.testing.assert_allclose(read.mean((1, 2, 3)), [0, 40, 80, 120, 160, 200], atol=1)
    assert imageio.immeta(tmp_path / "v.gif")["duration"] == 50
    assert imageio.immeta(tmp_path / "v.gif")["loop"] == 0


def test_an_interrupted_video_leaves_no_files(tmp_path: Path) -> None:
    def frames() -> object:
        yield from greys(64, 3)
        raise KeyboardInterrupt

    for write in (write_mp4, write_gif):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / f"v.{write.__name__[-3:]}", frames(), 24)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_missing_ffmpeg_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    check_ffmpeg()

    def none() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", none)
    with pytest.raises(InputError, match="ffmpeg"):
        check_ffmpeg()


def test_frames_are_kept_unless_something_they_depend_on_changes(tmp_path: Path) -> None:
    frames = Frames(tmp_path / "f", 4)
    assert frames.open({"exposure": 0.0}) == [0, 1, 2, 3]
    for number in (0, 2):
        frames.write(number, greys(16)[number])
    assert Frames(tmp_path / "f", 4).open({"exposure": 0.0}) == [1, 3]
    assert (frames.read(2) == 80).all()
    assert frames.open({"exposure": 1.0}) == [0, 1, 2, 3]
    assert frames.open({"exposure": 0.0}) == [0, 1, 2, 3]  # the old ones were deleted


def test_a_broken_frame_is_named_in_the_error(tmp_path: Path) -> None:
    frames = Frames(tmp_path, 1)
    frames.path(0).write_bytes(b"")
    with pytest.raises(InputError, match=r"frame-0000\.png"):
        frames.read(0)
