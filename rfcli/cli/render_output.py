"""What `rf render` makes once it knows scenes and renderer: pictures, videos, or a list of what is in the scenes.

`rf render --show-scene`: the inventory of a scene as tables.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfcli.cli.console import Console

if TYPE_CHECKING:
    from rich.table import Table

    from rfcli.pictures.jobs import Job
    from rfcli.pictures.look import Studio
    from rfcli.pictures.motion import Motion
    from rfcli.pictures.renderers import Renderer
    from rfcli.scene import Inventory

Made = tuple[list[Path], list[dict[str, Any]]]  # files, and what the receipt says of each picture or video


def make_pictures(console: Console, studio: "Studio", jobs: "Sequence[Job]", reference: "Renderer | None") -> Made:
    """One picture per camera, each compared with the reference if there is one; a contact sheet of several."""
    from rfcli.pictures.files import write_sheet
    from rfcli.pictures.gallery import render_gallery

    files: list[Path] = []
    pictures = []
    with console.progress("render", total=sum(len(job.views) for job in jobs), unit="pictures") as progress:
        for picture in render_gallery(studio, jobs, reference):
            pictures.append(picture)
            files += picture.files
            console.say(picture.line())
            progress.advance()
    if len(pictures) > 1:
        files.append(write_sheet(studio.folder, [picture.thumbnail for picture in pictures]))
    return files, [picture.facts() for picture in pictures]


def make_videos(console: Console, studio: "Studio", jobs: "Sequence[Job]", motion: "Motion", fps: float) -> Made:
    """One video per camera."""
    from rfcli.pictures.animation import Animation
    from rfcli.pictures.video import check_ffmpeg

    check_ffmpeg()
    animations = [Animation(studio, job, view, motion) for job in jobs for view in job.views]
    files: list[Path] = []
    for animation in animations:
        console.claim(animation.frames.folder)
        animation.begin()
        if motion.camera and motion.arc is None and animation.path.arc != 360:
            console.say(f"The camera swings through {animation.path.arc:g} degrees, as walls hide the rest; see --arc.")
        done = motion.frames - len(animation.missing)
        if done:
            console.say(f"Going on from {done} finished frames in {animation.frames.folder}.")
        with console.progress(animation.stem.name, total=len(animation.missing), unit="frames") as progress:
            for _ in animation.draw():
                progress.advance()
        files += animation.write(fps)
        console.say(f"{files[-2]} and .gif: {motion.frames} frames, {motion.frames / fps:.1f} s long")
    return files, [animation.facts() for animation in animations]


def list_contents(console: Console, jobs: "Sequence[Job]") -> list[dict[str, Any]]:
    """Print what is in the scenes; for the receipt, the same of each."""
    from rfcli.scene import scene_inventory

    scenes = []
    for job in jobs:
        found = scene_inventory(job.whole, job.path)
        show_scene(console, job.path, len(job.whole), found)
        scenes.append({"scene": job.path, "triangles": len(job.whole), **asdict(found)})
    return scenes


def show_scene(console: Console, path: Path, triangles: int, found: "Inventory") -> None:
    """Print what is in the scene at `path`, and its warnings."""
    console.say(f"{path}: {triangles:,} triangles")
    parts = _table("object" if found.by_object else "material", "triangles", "size", "diffuse", "specular", "rough")
    for part in found.parts:
        numbers = (f"{part.specular:.2f}", "light" if part.emission else f"{part.roughness:.2f}")
        parts.add_row(part.name, f"{part.triangles:,}", _triple(part.size), _triple(part.diffuse), *numbers)
    lights = _table("light", "triangles", "radiance", "area", "distance")
    for number, light in enumerate(found.lights):
        row = (f"{light.triangles:,}", f"{light.radiance:,.1f}", f"{light.area:.4f}", f"{light.distance:.2f}")
        lights.add_row(str(number), *row)
    cameras = _table("camera", "position", "looks along", "field of view")
    for number, camera in enumerate(found.cameras):
        cameras.add_row(str(number), _triple(camera.position), _triple(camera.direction), f"{camera.fov:.1f}°")
    for table in (parts, lights, cameras):
        if table.row_count:
            console.say("")
            console.say(table)
    console.say("")
    for warning in found.warnings:
        console.warn(warning)


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _triple(values: tuple[float, float, float]) -> str:
    return " ".join(f"{value + 0.0:.2f}" for value in values)
