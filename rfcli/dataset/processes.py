"""Scenes made by several processes, handed over in order."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.dataset.manifest import Entry, sha256_of
from rfcli.dataset.sample import HALF_MAX, Sample, write_sample
from rfcli.errors import InputError
from rfcli.runtime.signals import deferred_interrupt, interrupts_held_back, leave_with_parent
from rfcli.scene import TriangleScene

# From a scene's number to the scene, its images [V, R, R, 3] or light layers [L, V, R, R, 3], whose sum the images are,
# and the draws rejected before it, by reason.
Source = Callable[[int], tuple[TriangleScene, npt.NDArray[np.float32], Mapping[str, int]]]

# Makes the numbered scenes of a folder, given source, seed and number of workers; yields their entries in that order.
Engine = Callable[[Path, list[int], Source, int, int], Generator[Entry, None, None]]

AHEAD = 8  # scenes, per process, that may be finished or under way while an earlier one takes long


def made(folder: Path, todo: list[int], source: Source, seed: int, workers: int) -> Generator[Entry, None, None]:
    """Write the scenes in `todo` by `workers` processes; yields their entries in that order.

    On Ctrl-C the scenes under way are finished and yielded, then KeyboardInterrupt is raised; at once on a second.
    Raises InputError where a process is killed.
    """
    remaining, ahead, stopped = deque(todo), deque[Future[Entry]](), False
    context = multiprocessing.get_context("spawn")  # a fork would copy half of the renderer's threads
    pool = ProcessPoolExecutor(max(1, min(workers, len(todo))), context, begin_worker)
    try:
        with deferred_interrupt() as interrupted:
            while remaining or ahead:
                if interrupted():
                    stopped = True
                    remaining.clear()
                    ahead = deque(future for future in ahead if not future.cancel())
                under_way = sum(not future.done() for future in ahead)
                room = min(workers + 1 - under_way, AHEAD * workers - len(ahead))  # one waits for a free process
                with interrupts_held_back():  # processes start here
                    for index in [remaining.popleft() for _ in range(min(room, len(remaining)))]:
                        ahead.append(pool.submit(make, folder, index, source, seed))
                if ahead and ahead[0].done():
                    yield ahead.popleft().result()
                elif ahead:
                    wait([future for future in ahead if not future.done()], return_when=FIRST_COMPLETED)
    except BrokenProcessPool as error:
        raise InputError(
            "A worker process was killed, probably for lack of memory; run the command again with fewer --workers, "
            "it goes on from the scenes that are finished."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
    if stopped:
        raise KeyboardInterrupt


def make(folder: Path, index: int, source: Source, seed: int) -> Entry:
    """Make scene `index` and write its file."""
    scene, images, rejected = source(index)
    name = f"scenes/{index:06d}.h5"
    path = folder / name
    write_sample(path, sample_of(scene, images))
    return Entry(index, name, seed, len(scene), len(scene.c2w), path.stat().st_size, sha256_of(path), dict(rejected))


def sample_of(scene: TriangleScene, images: npt.NDArray[np.float32]) -> Sample:
    """The scene with its images, added up from light layers where that is what there is."""
    half = np.clip(images, 0.0, HALF_MAX).astype(np.float16)
    if half.ndim == 4:
        return Sample(scene, half)
    return Sample(scene, np.minimum(half.sum(axis=0, dtype=np.float32), HALF_MAX).astype(np.float16), half)


def begin_worker() -> None:
    """Ctrl-C is the parent's to handle, and no worker outlives it, even where it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_with_parent()
