"""Runs a command that generates a dataset, and kills it several times at random moments."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

TIMEOUT = 600.0  # seconds without a new scene


def run_with_kills(
    command: Callable[[], list[str]], folder: Path, kills: int, rng: random.Random, max_scenes: int
) -> Iterator[str]:
    """Runs the command `kills` times and kills it each time, then once to its end; yields the target of each kill.

    command: returns the command line of the next run. Each run gets up to `max_scenes` more scenes and up to 0.3 s,
    then SIGKILL goes to the parent, to all processes at once (as in a power cut) or to a worker.
    Raises RuntimeError if the last run fails.
    """
    for number in range(kills):
        with subprocess.Popen(
            command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as run:
            _wait_for_scenes(run, count_scenes(folder) + rng.randint(0, max_scenes), folder)
            time.sleep(rng.uniform(0.0, 0.3))
            if run.poll() is not None:
                raise RuntimeError(f"the run ended after {number} kills; it needs more scenes")
            yield _kill(run.pid, rng.choice(["parent", "all", "worker"]))
    last = subprocess.run(command(), capture_output=True, text=True)
    if last.returncode:
        raise RuntimeError(last.stderr)


def count_scenes(folder: Path) -> int:
    """Number of scenes in the manifest."""
    manifest = folder / "manifest.jsonl"
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def _kill(pid: int, target: str) -> str:
    """Sends SIGKILL to the parent, its process group, or a worker if there is one; returns the actual target."""
    workers = [child for child in psutil.Process(pid).children() if "--multiprocessing-fork" in child.cmdline()]
    if target == "all":
        os.killpg(pid, signal.SIGKILL)
    elif target == "worker" and workers:
        workers[0].kill()  # the parent then ends with an InputError, see `generate_locally`
    else:
        target = "parent"
        os.kill(pid, signal.SIGKILL)
    return target


def _wait_for_scenes(run: "subprocess.Popen[bytes]", count: int, folder: Path) -> None:
    """Returns when the manifest has that many lines, or the run has ended."""
    limit = time.monotonic() + TIMEOUT
    while count_scenes(folder) < count and run.poll() is None:
        if time.monotonic() > limit:
            raise RuntimeError(f"no scene in {TIMEOUT} seconds")
        time.sleep(0.02)
