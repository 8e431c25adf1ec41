"""Measures how fast training batches are made, without a network behind them: `python -m tests.benchmarks.loading`.

Scenes of 256 to 1,536 triangles with four views, as smooth images with noise, which compress like path-traced ones
(to about two thirds). Batches have four scenes with all four views, mirrored and with permuted colours as in training.

For each image size it prints the scenes per second and core (processor time, so that other work on the machine hardly
matters), without first-hit visibility, with visibility at 2 x 2 rays per pixel computed anew, and with visibility that
the cache holds. Then the scenes per second (wall-clock time) that 0, 1, 2, ... worker processes deliver, and how many
workers a training step needs: of the preset tiny on a CPU, and of base on a GPU. The seconds of those steps are
assumptions, given with --tiny-step and --base-step; the defaults are a step of tiny on two cores of a Xeon, and the
0.1 s of a step of base on a GPU, of four scenes each.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rfcli.dataset.files import sha256_of
from rfcli.dataset.manifest import Entry, write_manifest
from rfcli.dataset.sample import Sample, write_sample
from rfcli.model import PRESETS
from rfcli.scene import TriangleScene
from rfcli.study.scenes.random_triangles import random_triangle_batch
from rfcli.training.batches import Batches
from rfcli.training.loader import Loader
from rfcli.training.options import TrainOptions
from rfcli.training.scenes import read_dataset

CPU = torch.device("cpu")
BATCH, VIEWS = 4, 4
TARGET_SCENES_PER_CORE = 40  # at 256 x 256 pixels with four views, without visibility


def write_scenes(folder: Path, scenes: int, resolution: int) -> Path:
    """A dataset whose scenes cost as much to read as rendered ones."""
    (folder / "scenes").mkdir(parents=True)
    rng, entries = np.random.default_rng(0), []
    for index in range(scenes):
        soup = random_triangle_batch(int(rng.integers(256, 1537)), index, CPU)
        assert soup.material is not None
        c2w = np.tile(np.eye(4, dtype=np.float32), (VIEWS, 1, 1))
        c2w[:, 2, 3] = rng.uniform(1.5, 2.0, VIEWS)
        smooth = np.kron(rng.random((VIEWS, 8, 8, 3)), np.ones((1, resolution // 8, resolution // 8, 1)))
        images = (smooth * rng.normal(1, 0.02, smooth.shape)).clip(0).astype(np.float16)
        arrays = (x[0].numpy() for x in (soup.triangles, soup.vn, soup.material))
        scene = TriangleScene(*arrays, c2w, np.full(VIEWS, 45.0, np.float32))
        path = folder / "scenes" / f"{index:06d}.h5"
        write_sample(path, Sample(scene, images))
        file, size = f"scenes/{path.name}", path.stat().st_size
        entries.append(Entry(index, file, 0, len(scene), VIEWS, size, sha256_of(path)))
    write_manifest(folder, entries)
    return folder


def batches(folder: Path | str, resolution: int, rays: int) -> Batches:
    """Batches of four scenes; rays along a side of a pixel, 0 = no visibility."""
    options = TrainOptions(
        out=Path("unused"), data=folder, resolution=resolution, batch=BATCH, views=VIEWS, steps=10**6
    )
    data = read_dataset(folder, options.curriculum, PRESETS["base"])
    return Batches(data, options, monochrome=True, samples=rays, find_visible=True)


def per_core(made: Batches, steps: Iterable[int]) -> float:
    """Scenes per second of processor time."""
    start, count = time.process_time(), 0
    for step in steps:
        count += len(made[step].mask)
    return count / (time.process_time() - start)


def delivered(made: Batches, workers: int, seconds: float) -> float:
    """Scenes per second of wall-clock time from so many workers; the batches that were made first do not count."""
    with closing(Loader(made, 0, 10**6, workers, CPU, print)) as loader:
        for _ in range(3 * max(1, workers)):
            next(loader)
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            count += len(next(loader).mask)
        return count / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=64, help="in each dataset")
    parser.add_argument("--resolutions", type=int, nargs="+", default=(64, 128, 256))
    parser.add_argument("--workers", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement with workers")
    parser.add_argument("--tiny-step", type=float, default=1.0, metavar="SECONDS", help="of a step of tiny, assumed")
    parser.add_argument("--base-step", type=float, default=0.1, metavar="SECONDS", help="of base on a GPU, assumed")
    arguments: Any = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for resolution in arguments.resolutions:
            folder = write_scenes(Path(scratch) / str(resolution), arguments.scenes, resolution)
            steps = range((arguments.scenes - arguments.scenes // 16) // BATCH)
            plain = max(per_core(batches(folder, resolution, 0), steps) for _ in range(3))
            visible = batches(folder, resolution, 2)
            found = per_core(visible, steps)
            held = max(per_core(visible, steps) for _ in range(2))
            print(
                f"{resolution} x {resolution}, scenes/s and core: {plain:.0f} without visibility, {found:.0f} with it, "
                f"{held:.0f} with cached visibility"
            )
            for workers in arguments.workers:
                rates = [delivered(batches(folder, resolution, r), workers, arguments.seconds) for r in (0, 2)]
                print(f"  {workers} workers: {rates[0]:.0f} scenes/s without visibility, {rates[1]:.0f} with it")
            for name, step, rate in (("tiny", arguments.tiny_step, found), ("base", arguments.base_step, plain)):
                need = BATCH / step
                print(f"  a step of {name} in {step:g} s needs {need:.0f} scenes/s: {need / rate:.2f} workers")
            if resolution == 256:
                met = plain >= TARGET_SCENES_PER_CORE
                print(f"  target {TARGET_SCENES_PER_CORE} scenes/s and core: {'yes' if met else 'NO'}", flush=True)


if __name__ == "__main__":
    main()
