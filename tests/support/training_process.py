"""A run in two phases that is killed several times, and the same run undisturbed: both must end with the same bits.

Two kills are a test; for more:

    python -m tests.support.training_process --kills 20
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rfcli.training import loop, run
from rfcli.training.phases import Phase
from rfcli.training.scenes import read_dataset
from rfcli.training.state import read_state, states
from rfcli.training.validation import ImagePair, Validation
from tests.support.fresh_processes import fresh_processes
from tests.support.training_datasets import write_dataset
from tests.support.training_scenes import RESOLUTION, RecordingCallbacks, fresh_model, train_options

FILES = ("model.safetensors", "best/model.safetensors", "images.npy")


class ImageFile(RecordingCallbacks):
    """Callbacks that write the images of each validation to a file in the folder of the run."""

    def __init__(self, out: Path) -> None:
        super().__init__()
        self.out = out

    def on_validation(self, step: int, validation: Validation, images: Sequence[ImagePair]) -> None:
        np.save(self.out / "images.npy", np.stack([image for pair in images for image in pair]))


def session(data: Path, out: Path, steps: int, reports: Connection | None = None) -> None:
    """Start or resume the run in `out` on the dataset `data`; reports each step."""

    class Reporting(ImageFile):
        def on_step(self, step: int, losses: dict[str, float]) -> None:
            if reports is not None:
                reports.send(step)

    # The fastest format is measured, and could differ between sessions.
    run.fastest_precision = lambda device: torch.float32
    torch.set_num_threads(1)
    # Dropout uses random numbers, so a generator in another state would be noticed.
    model = fresh_model(dropout=0.1)
    phases = (Phase(steps // 3, RESOLUTION // 2, (10, 13)), Phase(steps - steps // 3, RESOLUTION))
    options = train_options(out, data=data, phases=phases, save_minutes=0.0, validate_every=7, keep=2)
    state = read_state(out, options)
    scenes = read_dataset(data, phases, model.config)
    loop.fit(model, scenes, options, Reporting(out), state=state)


def run_and_kill(data: Path, out: Path, steps: int, kills: int, seed: int) -> int:
    """Start the run and send it SIGKILL `kills` times, then let it end.

    Each kill comes after a random number of steps and a random time of up to two more. Returns how many of the kills
    interrupted the writing of a file.
    """
    context = fresh_processes()
    rng = random.Random(seed)
    torn = 0
    for kill in range(kills + 1):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=session, args=(data, out, steps, theirs))
        process.start()
        theirs.close()
        if kill < kills:
            for _ in range(rng.randint(1, max(1, steps // kills - 3))):  # few enough for the run not to end before
                ours.recv()
            start = time.perf_counter()
            ours.recv()  # now the state of the step before is on disk, so that every session makes progress
            time.sleep(rng.uniform(0, 2) * (time.perf_counter() - start))
            process.kill()
        process.join()
        assert process.exitcode == (-9 if kill < kills else 0), f"the run ended before kill {kill + 1}"
        torn += kill < kills and any(path.name.startswith(".") for path in out.rglob("*"))
        ours.close()
    return torn


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """The places at which two nested values are not equal to the last bit."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [found for key in a for found in differences(a[key], b[key], f"{where}/{key}")]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return [found for i, pair in enumerate(zip(a, b, strict=True)) for found in differences(*pair, f"{where}/{i}")]
    equal = torch.equal(a, b) if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) else a == b
    return [] if equal else [where]


def last_state(out: Path) -> dict[str, Any]:
    """The last training state, without its duration."""
    state: dict[str, Any] = torch.load(states(out)[-1], weights_only=True)
    del state["hours"]
    return state


def different_files(a: Path, b: Path) -> list[str]:
    """The files of two runs whose bytes differ."""
    return [name for name in FILES if (a / name).read_bytes() != (b / name).read_bytes()]


def compare(folder: Path, steps: int, kills: int, seed: int) -> tuple[list[str], int]:
    """Differences between the ends of both runs, and how many kills interrupted the writing of a file."""
    data, whole, killed = write_dataset(folder / "data", 8), folder / "whole", folder / "killed"
    session(data, whole, steps)
    torn = run_and_kill(data, killed, steps, kills, seed)
    return differences(last_state(whole), last_state(killed)) + different_files(whole, killed), torn


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found, torn = compare(Path(scratch), given.steps, given.kills, given.seed)
    print(f"{given.kills} kills, {torn} while a file was written; differences: {found or 'none'}")
    sys.exit(bool(found))
