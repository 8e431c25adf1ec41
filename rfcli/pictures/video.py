"""Encoding of videos: MP4 (H.264) and a small GIF."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
from PIL import Image

from rfcli.errors import InputError
from rfcli.pictures.images import Display
from rfcli.pictures.sheets import thumbnail
from rfcli.runtime.files import replacing
from rfcli.runtime.signals import blocked_interrupts


def check_ffmpeg() -> None:
    """Raises InputError without ffmpeg: neither the one of imageio-ffmpeg nor one of the system."""
    import imageio_ffmpeg

    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        raise InputError("Videos need ffmpeg, which was not found; install it, or render pictures.") from None


def write_mp4(path: Path, frames: Iterable[Display], fps: float) -> None:
    """Write frames [H, W, 3] of one size with even sides. Raises InputError if the file is incomplete."""
    # macro_block_size 2: sides are multiples of 8; the default of 16 would rescale sides that are no multiple of 16
    options: dict[str, Any] = {"codec": "libx264", "quality": 8, "macro_block_size": 2, "pixelformat": "yuv420p"}
    written = 0
    with replacing(path) as temporary:
        writer: Any = imageio.get_writer(temporary, format="FFMPEG", fps=fps, **options)  # type: ignore[arg-type]
        with closing(writer):  # the writer's own `with` leaves ffmpeg running if an error or Ctrl-C ends the block
            for frame in frames:
                # The first frame starts ffmpeg; Python ignores Ctrl-C between fork and exec.
                with blocked_interrupts():
                    writer.append_data(frame)
                written += 1
        if _frames_in(temporary) != written:  # ffmpeg reports no error if the disk is full
            raise InputError(f"{path}: the video cannot be written completely; free some space or write elsewhere.")


def write_gif(path: Path, frames: Iterable[Display], fps: float) -> None:
    """Write frames [H, W, 3] of one size, reduced to thumbnails, as an endless loop."""
    small = (Image.fromarray(thumbnail(frame)) for frame in frames)
    with replacing(path) as temporary:
        next(small).save(temporary, save_all=True, append_images=small, duration=round(1000 / fps), loop=0)


def _frames_in(path: Path) -> int:
    """Number of frames of a video, counted by ffmpeg; 0 if it cannot read the file."""
    import imageio_ffmpeg

    try:
        return int(imageio_ffmpeg.count_frames_and_secs(str(path))[0])
    except RuntimeError:
        return 0
