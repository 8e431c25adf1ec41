"""Seconds of the viewer: the first picture, pictures of a moving camera, the final picture, changes of light.

    python -m tests.benchmarks.view examples/cornell-box.json --threads 2

Times exclude imports and the browser, and include everything else from reading the files to finished pixels.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import rfcli
import rfcli.scene.triangulate  # not counted
from rfcli.pictures.images import Display
from rfcli.pictures.motion import rotation_about_vertical
from rfcli.pictures.renderers import NetworkRenderer
from rfcli.viewer.cameras import WindowCamera
from rfcli.viewer.drawing import SceneDrawing, Settings, Shown
from rfcli.viewer.edits import EditableScene, SceneEdits
from rfcli.viewer.network_pictures import NetworkPictures

MOVES = 12


def main() -> None:
    """Print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--attention")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--resolution", type=int, default=256)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for path in arguments.scenes:
        measure(path, arguments.model, arguments.attention, arguments.resolution)


def measure(path: Path, name: str, attention: str | None, resolution: int) -> None:
    """All figures of one scene."""
    start = time.perf_counter()
    scene = rfcli.load_scene(path)
    renderer = NetworkRenderer(name, rfcli.load_model(name, attention))
    original = EditableScene.of(scene, path)
    camera = window(scene.c2w[0], float(scene.fov[0]))
    pixels: list[Display] = []

    def show(view: object, shown: Shown) -> None:
        pixels.append(shown.pixels(drawing.settings.display, drawing.settings.wipe))

    def fail(view: object, error: Exception) -> None:
        raise error

    drawing = SceneDrawing(NetworkPictures(renderer, original), lambda view: camera, show, fail)
    drawing.settings = Settings(resolution)
    drawing.coarse(0)
    line = f"{path.name}, {len(scene):,} triangles: first picture {time.perf_counter() - start:.2f} s"
    line += f" (first stage {drawing.left.prepare(SceneEdits()):.2f} s)"

    seconds = []
    for number in range(MOVES):
        pose = scene.c2w[0].astype(np.float64)
        pose[:3] = rotation_about_vertical(0.02 * (number + 1)) @ pose[:3]
        camera = window(pose, float(scene.fov[0]))
        drawing._coarse = 0  # at 64 x 64
        seconds.append(timed(lambda: drawing.coarse(0)))
    line += f"; moving {1 / np.median(seconds):.1f} pictures/s at 64 x 64"
    line += f"; final {timed(lambda: drawing.final(0)):.2f} s at {resolution} x {resolution}"
    drawing.edits = SceneEdits().with_radiance(0, (3.0, 2.0, 1.0))
    drawing.coarse(0)
    drawing.edits = SceneEdits().with_radiance(0, (1.0, 2.0, 3.0))
    line += f"; colour of a light {1000 * timed(lambda: drawing.coarse(0)):.0f} ms"
    drawing.edits = SceneEdits().with_offset(0, (0.05, 0.0, 0.0))
    line += f"; a light moved {timed(lambda: drawing.coarse(0)):.2f} s"
    print(line, flush=True)


def window(c2w: np.ndarray, fov: float) -> WindowCamera:
    """A square window with this camera."""
    return WindowCamera(tuple(np.asarray(c2w, dtype=np.float64).reshape(-1).tolist()), fov, 1.0)


def timed(work: Callable[[], object]) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
