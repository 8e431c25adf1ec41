"""A run that is killed again and again, and the same run left alone: they must end in the same bits.

Three kills are a test; more of them by hand:

    python -m tests.training.killed_run --kills 20
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from rfcli.training import loop
from rfcli.training.state import read_state, states
from tests.training.scenes import Silent, fresh_model, options, training_data


def sitting(out: Path, steps: int) -> None:
    """Go on with the run in `out` from wherever it is; prints a line once it takes steps."""

    class Loud(Silent):
        def stepped(self, step: int, losses: dict[str, float]) -> None:
            print(step, flush=True)

    told = options(out, steps=steps, save_minutes=0.0, validate_every=7, keep=2)  # saved after every step
    # Which format is faster is measured, and might turn out otherwise in the run that is left alone.
    loop.fastest_precision = lambda device: torch.float32
    # Dropout draws random numbers, so that a generator that is not where it was would be noticed.
    loop.fit(fresh_model(dropout=0.1), training_data(), told, Loud(), state=read_state(out, told))


def run_and_kill(out: Path, steps: int, kills: int, seed: int) -> int:
    """Start the run and kill it `kills` times, each at a random moment after its first step, then let it end.

    Returns how many of the kills fell into the writing of a file.
    """
    rng = random.Random(seed)
    command = [sys.executable, "-m", "tests.training.killed_run", "--sitting", str(out), "--steps", str(steps)]
    torn = 0
    for _ in range(kills):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline(), "the run has ended before it could be killed"
            time.sleep(rng.uniform(0, 0.4))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, "the run has ended before it could be killed"
        torn += any(path.name.startswith(".") for path in out.rglob("*"))
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
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
    sitting(folder / "whole", steps)
    torn = run_and_kill(folder / "killed", steps, kills, seed)
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
    parser.add_argument("--sitting", type=Path)
    given = parser.parse_args()
    if given.sitting:
        sitting(given.sitting, given.steps)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            found, torn = compare(Path(scratch), given.steps, given.kills, given.seed)
        print(f"{given.kills} kills, {torn} while a file was written; differences: {found or 'none'}")
        sys.exit(bool(found))
