"""Videos of `rf render`: --camera-orbit, --turntable-light, --arc, --fps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rfcli.cli.console import Console
from rfcli.pictures.animation import Animation
from rfcli.pictures.inputs import SceneInput
from rfcli.pictures.motion import Motion
from rfcli.pictures.renderers import RenderSettings
from rfcli.pictures.video import check_ffmpeg

DEFAULT_FRAMES = 96


def chosen_motion(camera_orbit: int | None, turntable_light: bool, arc: float | None) -> Motion | None:
    """The motion given by the options of videos; None = pictures. --arc alone means an orbit."""
    moves_camera = camera_orbit is not None or arc is not None
    if not moves_camera and not turntable_light:
        return None
    return Motion(DEFAULT_FRAMES if camera_orbit is None else camera_orbit, moves_camera, turntable_light, arc)


def make_videos(
    console: Console, settings: RenderSettings, inputs: Sequence[SceneInput], motion: Motion, fps: float
) -> tuple[list[Path], list[dict[str, Any]]]:
    """Write one video per camera; returns the paths written, and the entry of the receipt for each video."""
    check_ffmpeg()
    animations = [Animation(settings, item, view, motion) for item in inputs for view in item.views]
    files: list[Path] = []
    for animation in animations:
        console.lock(animation.frames.folder)
        animation.open()
        path = animation.path
        if motion.camera and motion.arc is None and isinstance(path, Motion) and path.arc != 360:
            console.print(f"The camera swings through {path.arc:g} degrees, because walls hide the rest; see --arc.")
        finished = motion.frames - len(animation.missing)
        if finished:
            console.print(f"Continuing after {finished} finished frames in {animation.frames.folder}.")
        with console.progress(animation.stem.name, total=len(animation.missing), unit="frames") as progress:
            for _ in animation.render_missing():
                progress.advance()
        files += animation.write(fps)
        console.print(f"{files[-2]} and .gif: {motion.frames} frames, {motion.frames / fps:.1f} s long")
    return files, [animation.receipt() for animation in animations]
