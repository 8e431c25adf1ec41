"""Generation of scenes by several processes of this machine, in order of the scenes' numbers."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.dataset.files import sha256_of
from rfcli.dataset.manifest import Entry
from rfcli.dataset.sample import FLOAT16_MAX, Sample, write_sample
from rfcli.errors import InputError
from rfcli.runtime.signals import blocked_interrupts, deferred_interrupt, exit_with_parent
from rfcli.scene import TriangleScene

# From a scene's number to the scene, its images [V, R, R, 3] or light layers [L, V, R, R, 3], and the number of
# rejected candidates before it, by reason.
Source = Callable[[int], tuple[TriangleScene, npt.NDArray[np.float32], Mapping[str, int]]]

# Writes the numbered scenes into a folder, given source, seed and number of workers; yields their entries in order.
Engine = Callable[[Path, list[int], Source, int, int], Generator[Entry, None, None]]

MAX_AHEAD = 8  # scenes per process that may be submitted or finished while an earlier one takes long


def generate_locally(
    folder: Path, indices: list[int], source: Source, seed: int, workers: int
) -> Generator[Entry, None, None]:
    """Engine that uses `workers` processes.

    On Ctrl-C the scenes in progress are finished and yielded, then KeyboardInterrupt is raised; a second Ctrl-C raises
    it at once. Raises InputError if a process is killed.
    """
    remaining, submitted, stopped = deque(indices), deque[Future[Entry]](), False
    context = multiprocessing.get_context("spawn")  # a fork would not copy the threads of the renderer
    pool = ProcessPoolExecutor(max(1, min(workers, len(indices))), context, _start_worker)
    try:
        with deferred_interrupt() as interrupted:
            while remaining or submitted:
                if interrupted():
                    stopped = True
                    remaining.clear()
                    submitted = deque(future for future in submitted if not future.cancel())
                unfinished = sum(not future.done() for future in submitted)
                # One more than there are processes, so that a free process never waits.
                room = min(workers + 1 - unfinished, MAX_AHEAD * workers - len(submitted))
                with blocked_interrupts():  # `submit` starts processes
                    for index in [remaining.popleft() for _ in range(min(room, len(remaining)))]:
                        submitted.append(pool.submit(write_scene, folder, index, source, seed))
                if submitted and submitted[0].done():
                    yield submitted.popleft().result()
                elif submitted:
                    wait([future for future in submitted if not future.done()], return_when=FIRST_COMPLETED)
    except BrokenProcessPool as error:
        raise InputError(
            "A worker process was killed, probably for lack of memory; run the command again with fewer `workers`. "
            "It continues after the finished scenes."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
    if stopped:
        raise KeyboardInterrupt


def write_scene(folder: Path, index: int, source: Source, seed: int) -> Entry:
    """Makes scene `index` and writes its file."""
    scene, images, rejected = source(index)
    name = f"scenes/{index:06d}.h5"
    path = folder / name
    write_sample(path, to_sample(scene, images))
    return Entry(index, name, seed, len(scene), len(scene.c2w), path.stat().st_size, sha256_of(path), dict(rejected))


def to_sample(scene: TriangleScene, images: npt.NDArray[np.float32]) -> Sample:
    """Sample from images [V, R, R, 3], or from light layers [L, V, R, R, 3], whose sum gives the images."""
    half = np.clip(images, 0.0, FLOAT16_MAX).astype(np.float16)
    if half.ndim == 4:
        return Sample(scene, half)
    return Sample(scene, np.minimum(half.sum(axis=0, dtype=np.float32), FLOAT16_MAX).astype(np.float16), half)


def _start_worker() -> None:
    """Ignores Ctrl-C, which the parent handles, and ends with the parent even if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()
