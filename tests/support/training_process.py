"""A run in two stages that is killed again and again, and the same run left alone: they must end in the same bits.

Two kills are a test; more of them by hand:

    python -m tests.support.training_process --kills 20
"""

import argparse
import random
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from rfcli.training import loop, run
from rfcli.training.scenes import read_dataset
from rfcli.training.stages import Stage, stage_at
from rfcli.training.state import read_state, states
from tests.support.fresh_processes import fresh_processes
from tests.support.training_datasets import write_dataset
from tests.support.training_scenes import RESOLUTION, Silent, fresh_model, options


def sitting(data: Path, out: Path, steps: int, told: Connection | None = None) -> None:
    """Go on with the run in `out`, on the dataset `data`, from wherever it is, telling of every step."""

    class Loud(Silent):
        def stepped(self, step: int, losses: dict[str, float]) -> None:
            if told is not None:
                told.send(step)

    # Which format is faster is measured, and might turn out otherwise in the run that is left alone.
    run.fastest_precision = lambda device: torch.float32
    torch.set_num_threads(1)
    # Dropout draws random numbers, so that a generator that is not where it was would be noticed.
    model = fresh_model(dropout=0.1)
    stages = (Stage(steps // 3, RESOLUTION // 2, (10, 13)), Stage(steps - steps // 3, RESOLUTION))
    said = options(out, data=data, stages=stages, steps=steps, save_minutes=0.0, validate_every=7, keep=2)
    state = read_state(out, said)
    scenes = read_dataset(data, stages, model.config, stage_at(stages, state.step if state else 0))
    loop.fit(model, scenes, said, Loud(), state=state)


def run_and_kill(data: Path, out: Path, steps: int, kills: int, seed: int) -> int:
    """Start the run and kill it `kills` times with SIGKILL, each after a random number of steps of its sitting and at a
    random moment of two more, then let it end. Returns how many of the kills fell into the writing of a file.
    """
    context = fresh_processes()
    rng = random.Random(seed)
    torn = 0
    for kill in range(kills + 1):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=sitting, args=(data, out, steps, theirs))
        process.start()
        theirs.close()
        if kill < kills:
            for _ in range(rng.randint(1, max(1, steps // kills - 3))):  # so few that the run does not end before
                ours.recv()
            start = time.perf_counter()
            ours.recv()  # by now the state after the step before is on disk, so that every sitting gets on
            time.sleep(rng.uniform(0, 2) * (time.perf_counter() - start))
            process.kill()
        process.join()
        assert process.exitcode == (-9 if kill < kills else 0), f"the run has ended by itself before kill {kill + 1}"
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
    """Weights, averages, optimiser and all else but the time it took."""
    state: dict[str, Any] = torch.load(states(out)[-1], weights_only=True)
    del state["hours"]
    return state


def compare(folder: Path, steps: int, kills: int, seed: int) -> tuple[list[str], int]:
    """Differences between the states in which both runs end, and how many kills fell into the writing of a file."""
    data = write_dataset(folder / "data", 8)
    sitting(data, folder / "whole", steps)
    torn = run_and_kill(data, folder / "killed", steps, kills, seed)
    found = differences(last_state(folder / "whole"), last_state(folder / "killed"))
    for file in ("model.safetensors", "best/model.safetensors", "grid.png"):
        if (folder / "whole" / file).read_bytes() != (folder / "killed" / file).read_bytes():
            found.append(file)
    return found, torn


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
