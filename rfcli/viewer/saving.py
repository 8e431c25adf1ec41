"""Files that the page writes: pictures, the changed scene with its cameras, a video along the cameras."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import rfcli
from rfcli.errors import InputError
from rfcli.pictures.animation import Animation
from rfcli.pictures.images import write_exr, write_png
from rfcli.pictures.inputs import SceneInput
from rfcli.pictures.motion import CameraPath
from rfcli.pictures.renderers import RenderSettings
from rfcli.pictures.video import check_ffmpeg
from rfcli.runtime.files import replacing
from rfcli.scene import HDF5_SUFFIXES, PlacedFile, TriangleScene
from rfcli.scene.schema import MAX_EMISSION
from rfcli.viewer.drawing import Settings, Shown
from rfcli.viewer.edits import EditableScene, SceneEdits

Floats = npt.NDArray[np.float32]
LOOK_AT_DISTANCE = 1.0  # scene units from a camera to the point that its entry in a scene file names


def save_picture(shown: Shown, settings: Settings, folder: Path, stem: str) -> list[Path]:
    """Write what a window shows as STEM-seen-N.png and .exr, with the first N that is free; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    number = next(n for n in range(1, 1 << 30) if not (folder / f"{stem}-seen-{n}.png").exists())
    png, exr = (folder / f"{stem}-seen-{number}.{suffix}" for suffix in ("png", "exr"))
    title = " | ".join(f"{report.title}: {report.effort}" for report in shown.reports)
    write_exr(exr, np.ascontiguousarray(shown.linear(settings.wipe)), {"model": title, "rf": rfcli.__version__})
    write_png(png, np.ascontiguousarray(shown.pixels(settings.display, settings.wipe)))
    return [png, exr]


def check_scene_file(path: Path, source: Path | None) -> None:
    """Raises InputError if `save_scene` could not write a scene read from `source` to this path."""
    if path.suffix in HDF5_SUFFIXES:
        return
    if path.suffix != ".json":
        raise InputError(f"{path}: scenes are written as .h5, or as .json if they come from .json; correct the name.")
    if source is None or source.suffix != ".json":
        raise InputError(f"{path}: only a scene from a .json file is written as .json; give a name that ends in .h5.")
    if path.parent.resolve() != source.parent.resolve():
        raise InputError(f"{path}: the meshes are found from {source.parent}; give a file in that folder, or an .h5.")


def save_scene(
    path: Path, original: EditableScene, edits: SceneEdits, c2w: Floats, fov: Floats, source: Path | None
) -> None:
    """Write the changed scene with the given cameras: as .h5, or as .json, in the format of `source`.

    Args:
        path: See `check_scene_file`.
        original: The scene as it was read.
        edits: Its changes.
        c2w: [V, 4, 4] cameras, first those of the file.
        fov: [V] degrees.
        source: The file it was read from.
    """
    check_scene_file(path, source)
    if path.suffix != ".json":
        rfcli.save_scene(replace(edits.apply(original), c2w=c2w, fov=fov), path)
        return
    assert source is not None
    description = json.loads(source.read_text(encoding="utf-8-sig"))
    _change_objects(description["objects"], original, edits)
    kept = description["cameras"]
    kept += [_camera_entry(pose, float(angle)) for pose, angle in list(zip(c2w, fov, strict=True))[len(kept) :]]
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def _change_objects(objects: dict[str, Any], original: EditableScene, edits: SceneEdits) -> None:
    """Enter the changes into the objects of a scene file; each object has one material, and is at most one light."""
    for name, material in edits.material.items():
        entry = objects[name]["material"]
        for key in [key for key in entry if key.startswith(("rand_tri", "random_"))]:
            del entry[key]  # one colour in place of random ones
        entry["diffuse"], entry["specular"] = _rounded(material.diffuse), _rounded(material.specular)
        entry["roughness"] = round(material.roughness, 6)
    for number, radiance in edits.radiance.items():
        entry = objects[original.lights[number].name]["material"]
        entry["emissive"] = [min(value, MAX_EMISSION) for value in _rounded(radiance)]
        if not any(radiance):
            entry["diffuse"], entry["specular"] = [0.0] * 3, [0.0] * 3
    for number, offset in edits.offset.items():
        transform = objects[original.lights[number].name]["transform"]
        transform["translation"] = [
            round(float(old) + new, 6) for old, new in zip(transform["translation"], offset, strict=True)
        ]


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [round(float(value), 6) for value in values]


def _camera_entry(c2w: Floats, fov: float) -> dict[str, Any]:
    """A camera as scene files describe it."""
    pose = c2w.astype(np.float64)
    position = pose[:3, 3]
    return {
        "position": position.tolist(),
        "look_at": (position - LOOK_AT_DISTANCE * pose[:3, 2]).tolist(),
        "up": pose[:3, 1].tolist(),
        "fov": fov,
    }


def save_video(
    settings: RenderSettings, scene: TriangleScene, stem: str, frames: int, fps: float
) -> Iterator[int | list[Path]]:
    """Render a video from camera to camera, by the code of `rf render`'s videos, one frame at a time.

    Args:
        settings: Renderer, resolution, display settings and folder.
        scene: The changed scene, with the cameras of the path.
        stem: Its files are STEM-path.mp4 and .gif.
        frames: Number of frames.
        fps: Frames per second.

    Yields:
        The number of finished frames after each, and last the paths of the files.

    Raises:
        InputError: There are fewer than two cameras, or no ffmpeg.
    """
    check_ffmpeg()
    settings.folder.mkdir(parents=True, exist_ok=True)
    item = SceneInput(Path(stem), PlacedFile(scene), [0], [stem])
    animation = Animation(settings, item, 0, CameraPath(frames))
    animation.open()
    for finished, _ in enumerate(animation.render_missing(), 1 + frames - len(animation.missing)):
        yield finished
    yield animation.write(fps)
