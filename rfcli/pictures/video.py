"""Videos: MP4 (H.264) to watch, GIF to show on a page."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
from PIL import Image

from rfcli.errors import InputError
from rfcli.pictures.files import thumbnail
from rfcli.pictures.images import Display
from rfcli.runtime.files import replacing
from rfcli.runtime.signals import interrupts_held_back


def check_ffmpeg() -> None:
    """Raises InputError where there is no ffmpeg: neither imageio-ffmpeg's own nor the system's."""
    import imageio_ffmpeg

    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        raise InputError("Videos need ffmpeg, and there is none here; install it, or render pictures.") from None


def write_mp4(path: Path, frames: Iterable[Display], fps: float) -> None:
    """Frames [H, W, 3] of one size with even sides. Raises InputError where the file cannot be written whole."""
    # macro_block_size 2: the sides are multiples of 8; the default of 16 would scale pictures that are not of 16
    options: dict[str, Any] = {"codec": "libx264", "quality": 8, "macro_block_size": 2, "pixelformat": "yuv420p"}
    written = 0
    with replacing(path) as beside:
        writer: Any = imageio.get_writer(beside, format="FFMPEG", fps=fps, **options)  # type: ignore[arg-type]
        with closing(writer):  # the writer's own `with` leaves ffmpeg running where an error or Ctrl-C ends the block
            for frame in frames:
                # The first starts ffmpeg, and Ctrl-C between fork and exec would be lost: Python ignores it there.
                with interrupts_held_back():
                    writer.append_data(frame)
                written += 1
        if _frames_in(beside) != written:  # ffmpeg's end does not tell that the disk was full
            raise InputError(f"{path}: the video cannot be written whole; free some space or give another --out.")


def write_gif(path: Path, frames: Iterable[Display], fps: float) -> None:
    """Frames [H, W, 3] of one size, made smaller as on a contact sheet; it loops for ever."""
    small = (Image.fromarray(thumbnail(frame)) for frame in frames)
    with replacing(path) as beside:
        next(small).save(beside, save_all=True, append_images=small, duration=round(1000 / fps), loop=0)


def _frames_in(path: Path) -> int:
    """Frames of a video as ffmpeg counts them; 0 where it finds none."""
    import imageio_ffmpeg

    try:
        return int(imageio_ffmpeg.count_frames_and_secs(str(path))[0])
    except RuntimeError:
        return 0
