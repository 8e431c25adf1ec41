"""The training state, from which an interrupted run resumes exactly; the last few are kept, one file each.

The order of the data and all random numbers follow from the seed and the number of the step, so the state holds no
random number generator.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rfcli.errors import InputError
from rfcli.runtime.files import replacing
from rfcli.training.options import TrainOptions

STATES = "states"  # folder
FORMER_STATE = "state.pt"  # of former versions; their runs cannot be resumed, which is an error
STORED_NAMES = {"phases": "stages"}  # of options, where a state file has another name than `TrainOptions`
# Options that may differ between sessions of a run, since they do not change its result.
FREE_OPTIONS = ("out", "keep", "save_minutes", "lpips_weights", "workers", "recompute", "shard")


@dataclass(frozen=True)
class TrainState:
    """Everything that a run needs to resume.

    Attributes:
        step: Optimiser steps done.
        weights: State dict of the model.
        average: State dict of the moving average of the weights.
        optimizer: State dict of the optimisers.
        options: Options of the run, by their names in the file.
        config: Configuration of the model.
        precision: Number format of matrix products, which is measured when a run starts and could differ later.
        perceptual: Description of the perceptual term of the loss.
        best: Highest validation PSNR so far in dB; None before the first validation.
        hours: Time spent on training so far.
    """

    step: int
    weights: dict[str, torch.Tensor]
    average: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    options: dict[str, Any]
    config: dict[str, Any]
    precision: str
    perceptual: str
    best: float | None
    hours: float


def recorded(options: TrainOptions) -> dict[str, Any]:
    """The options that determine the result of a run, as plain values."""
    values = {name: value for name, value in asdict(options).items() if name not in FREE_OPTIONS}
    return {
        "phases": ",".join(map(str, options.phases)) or None,
        **{name: value for name, value in values.items() if name != "phases"},
        "data": str(options.data),
        "triangles": list(options.triangles) if options.triangles else None,
    }


def stored(options: TrainOptions) -> dict[str, Any]:
    """`recorded` with the names of state files."""
    return {STORED_NAMES.get(name, name): value for name, value in recorded(options).items()}


def states(out: Path) -> list[Path]:
    """The state files of the run in `out`, oldest first."""
    return sorted((out / STATES).glob("step-*.pt"))


def save_state(out: Path, state: TrainState, keep: int) -> Path:
    """Write a state to the disk, then delete all but the last `keep` states."""
    path = out / STATES / f"step-{state.step:08d}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        torch.save(vars(state), file)
        file.flush()
        os.fsync(file.fileno())
    for older in states(out)[:-keep]:
        older.unlink()
    return path


def read_state(out: Path, options: TrainOptions) -> TrainState | None:
    """The last state of the run in `out`; None if there is none.

    Raises InputError if it cannot be read, or if the run has other options; the error names the first one.
    """
    found = states(out)
    if not found:
        if (out / FORMER_STATE).exists():
            raise InputError(f"{out} holds a run of an earlier rf, which cannot be resumed; use another `out`.")
        return None
    path = found[-1]
    try:
        state = TrainState(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise InputError(
            f"{path} is not a readable training state ({type(error).__name__}); delete it to resume from the one "
            "before, or use another `out`."
        ) from error
    for name, value in recorded(options).items():
        before = state.options.get(STORED_NAMES.get(name, name))
        if before != value and name == "start":
            raise InputError(
                f"{out} holds a run that started from {before}, not from {value}; start from the same model to resume "
                "the run, or use another `out`."
            )
        if before != value:
            raise InputError(
                f"{out} holds a run with `{name}` {before}, not {value}; repeat that option to resume the run, or use "
                "another `out`."
            )
    return state
