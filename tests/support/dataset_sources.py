"""Small datasets that need no renderer; at module level, so that worker processes can import the sources."""

import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.dataset import Entry, Sample, Shard, generate_scenes, open_dataset, write_sample
from rfcli.dataset.files import sha256_of
from rfcli.dataset.local_engine import Source, write_scene
from rfcli.dataset.shards import WHOLE
from rfcli.scene import TriangleScene

OPTIONS = {"views": 2, "triangles": [3, 6]}


def tiny_scene(index: int, views: int = 2) -> TriangleScene:
    """3 to 6 random triangles that depend on the index."""
    rng = np.random.default_rng(index)
    n = 3 + index % 4
    material = rng.random((n, 13)).astype(np.float32)
    c2w = np.tile(np.eye(4, dtype=np.float32), (views, 1, 1))
    corners = rng.normal(size=(n, 3, 3)).astype(np.float32)
    normals = corners / np.linalg.norm(corners, axis=-1, keepdims=True)
    return TriangleScene(corners, normals, material, c2w, np.full(views, 40, np.float32))


@dataclass(frozen=True)
class NoiseSource:
    """Scenes with noise as images; optionally slow, or killing the process that makes scene `deadly`."""

    seconds: float = 0.0
    deadly: int = -1

    def __call__(self, index: int) -> tuple[TriangleScene, npt.NDArray[np.float32], dict[str, int]]:
        time.sleep(self.seconds)
        if index == self.deadly:
            os._exit(9)
        images = np.random.default_rng(index).random((2, 4, 4, 3)).astype(np.float32) * 1e5
        return tiny_scene(index), images, {"unlit": index}


@dataclass(frozen=True)
class FullDiskSource:
    """As NoiseSource, but fails at scene `failing` as if the disk were full."""

    failing: int = 1

    def __call__(self, index: int) -> tuple[TriangleScene, npt.NDArray[np.float32], dict[str, int]]:
        if index == self.failing:
            raise OSError(28, "No space left on device")
        return NoiseSource()(index)


def sequential_engine(
    folder: Path, indices: list[int], source: Source, seed: int, workers: int
) -> Generator[Entry, None, None]:
    """An engine without worker processes."""
    for index in indices:
        yield write_scene(folder, index, source, seed)


def make_dataset(folder: Path, scenes: int, shard: Shard = WHOLE, **options: object) -> Path:
    """A dataset of NoiseSource, or a shard of it; resumes one that exists."""
    named = {"shard": str(shard)} if shard != WHOLE else {}
    open_dataset(folder, {**OPTIONS, **options, **named}, 1)
    list(generate_scenes(folder, scenes, NoiseSource(), 1, shard, sequential_engine))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the folder by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def valid_sample(seed: int) -> Sample:
    """Four triangles, one of them a light, with two random images of 4 x 4 pixels; all values in range."""
    rng = np.random.default_rng(seed)
    corners, normal = rng.uniform(-0.5, 0.5, (4, 3, 3)), rng.normal(size=(4, 3, 3))
    material = np.tile([0.4, 0.5, 0.3, 0.2, 0.2, 0.2, 0.5, 0.5, 0.5, 1.0, 0, 0, 0], (4, 1))
    material[3, 10:] = 50.0
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    scene = TriangleScene(corners, normal, material, np.tile(np.eye(4), (2, 1, 1)), np.full(2, 40.0))
    return Sample(scene, rng.random((2, 4, 4, 3)).astype(np.float16))


def write_entry(folder: Path, index: int, sample: Sample) -> Entry:
    """Writes the sample as scene `index`; returns its entry for the manifest."""
    file = f"scenes/{index:06d}.h5"
    write_sample(folder / file, sample)
    size = (folder / file).stat().st_size
    return Entry(index, file, 0, len(sample.scene), len(sample.images), size, sha256_of(folder / file))
