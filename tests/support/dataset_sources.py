"""Cheap scenes for tests of the machinery; module level, so that worker processes can import them."""

import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.dataset.manifest import Entry
from rfcli.dataset.processes import Source, make
from rfcli.scene import TriangleScene


def tiny_scene(index: int, views: int = 2) -> TriangleScene:
    """A few triangles that depend on the index."""
    rng = np.random.default_rng(index)
    n = 3 + index % 4
    material = rng.random((n, 13)).astype(np.float32)
    c2w = np.tile(np.eye(4, dtype=np.float32), (views, 1, 1))
    corners = rng.normal(size=(n, 3, 3)).astype(np.float32)
    normals = corners / np.linalg.norm(corners, axis=-1, keepdims=True)
    return TriangleScene(corners, normals, material, c2w, np.full(views, 40, np.float32))


def at_once(folder: Path, todo: list[int], source: Source, seed: int, workers: int) -> Generator[Entry, None, None]:
    """An engine without processes."""
    for index in todo:
        yield make(folder, index, source, seed)


@dataclass(frozen=True)
class Tiny:
    """Scenes with noise for images; optionally slow, or deadly for the process that makes one of them."""

    seconds: float = 0.0
    deadly: int = -1

    def __call__(self, index: int) -> tuple[TriangleScene, npt.NDArray[np.float32], dict[str, int]]:
        time.sleep(self.seconds)
        if index == self.deadly:
            os._exit(9)
        images = np.random.default_rng(index).random((2, 4, 4, 3)).astype(np.float32) * 1e5
        return tiny_scene(index), images, {"unlit": index}


@dataclass(frozen=True)
class FullDisk:
    """As if the disk were full when scene 1 is written."""

    def __call__(self, index: int) -> tuple[TriangleScene, npt.NDArray[np.float32], dict[str, int]]:
        if index == 1:
            raise OSError(28, "No space left on device")
        return Tiny()(index)
