"""A run that is killed at random moments, and started again until it is through."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

PATIENCE = 600.0  # seconds a run may take to go on


def survive(
    command: Callable[[], list[str]], folder: Path, kills: int, rng: random.Random, ahead: int
) -> Iterator[str]:
    """Run the command, kill it `kills` times, then let it end; yields whom each kill hit.

    command: makes the command line of each start. Each start goes on for up to `ahead` more scenes and a little, then
    the parent, all processes at once (as a power cut does) or one worker gets SIGKILL.
    Raises RuntimeError where the last start, which nothing kills, fails.
    """
    for number in range(kills):
        with subprocess.Popen(
            command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as run:
            wait_for(run, lines(folder) + rng.randint(0, ahead), folder)
            time.sleep(rng.uniform(0.0, 0.3))
            if run.poll() is not None:
                raise RuntimeError(f"the run ended after {number} kills; give it more scenes")
            yield kill(run.pid, rng.choice(["parent", "all", "worker"]))
    last = subprocess.run(command(), capture_output=True, text=True)
    if last.returncode:
        raise RuntimeError(last.stderr)


def kill(pid: int, whom: str) -> str:
    """SIGKILL to the parent, to its whole group, or to one worker where there is one yet; returns whom it hit."""
    workers = [child for child in psutil.Process(pid).children() if "--multiprocessing-fork" in child.cmdline()]
    if whom == "all":
        os.killpg(pid, signal.SIGKILL)
    elif whom == "worker" and workers:
        workers[0].kill()  # the parent ends with a sentence, see `processes.made`
    else:
        whom = "parent"
        os.kill(pid, signal.SIGKILL)
    return whom


def wait_for(run: "subprocess.Popen[bytes]", count: int, folder: Path) -> None:
    """Return when the manifest has that many lines, or the run has ended."""
    limit = time.monotonic() + PATIENCE
    while lines(folder) < count and run.poll() is None:
        if time.monotonic() > limit:
            raise RuntimeError(f"no scene in {PATIENCE} seconds")
        time.sleep(0.02)


def lines(folder: Path) -> int:
    """Scenes in the manifest."""
    manifest = folder / "manifest.jsonl"
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0
