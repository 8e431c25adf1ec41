"""What a killed run needs to go on exactly: one file a state, each whole or absent, the last few kept.

The order of the data and every random draw follow from the seed and the number of the step, so no generator's state
is kept.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rfcli.errors import InputError
from rfcli.runtime.files import replacing
from rfcli.training.options import TrainOptions

STATES = "states"
EARLIER = "state.pt"  # where rf kept the state once; starting over there would overwrite what hours have made
NOT_DECISIVE = (
    "out",
    "keep",
    "save_minutes",
    "lpips_weights",
    "recompute",
    "shard",
)  # options that may change from one sitting to the next


@dataclass(frozen=True)
class TrainState:
    """step: optimiser steps done. weights, average (their moving average), optimizer: state dicts.
    options: those that the run was started with. config: the model's.
    precision: number format of the products, which a second measurement could choose otherwise.
    perceptual: what that term of the loss is made of. best: highest validation PSNR so far, dB; None before the first.
    hours: spent on training so far."""

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
    """The options that decide the result of a run, as plain values; first those that say most about it."""
    values = {name: value for name, value in asdict(options).items() if name not in NOT_DECISIVE}
    return {
        "stages": ",".join(map(str, options.stages)) or None,
        **{name: value for name, value in values.items() if name != "stages"},
        "data": str(options.data),
        "triangles": list(options.triangles) if options.triangles else None,
    }


def states(out: Path) -> list[Path]:
    """The states that the run in `out` has kept, oldest first."""
    return sorted((out / STATES).glob("step-*.pt"))


def save_state(out: Path, state: TrainState, keep: int) -> Path:
    """Write the state, on the disk when this returns, then forget all but the last `keep`."""
    path = out / STATES / f"step-{state.step:08d}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside, open(beside, "wb") as file:
        torch.save(vars(state), file)
        file.flush()
        os.fsync(file.fileno())
    for older in states(out)[:-keep]:
        older.unlink()
    return path


def read_state(out: Path, options: TrainOptions) -> TrainState | None:
    """The last state of the run in `out`, None where there is none.

    Raises InputError where it cannot be read, or the run was started with other options, naming the first that differs.
    """
    kept = states(out)
    if not kept:
        if (out / EARLIER).exists():
            raise InputError(f"{out} holds a run of an earlier rf, which cannot be gone on with; use another --out.")
        return None
    path = kept[-1]
    try:
        state = TrainState(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise InputError(
            f"{path} is not a readable training state ({type(error).__name__}); delete it to go on from the one "
            "before, or use another --out."
        ) from error
    for name, value in recorded(options).items():
        if state.options.get(name) != value:
            raise InputError(
                f"{out} holds a run with --{name.replace('_', '-')} {state.options.get(name)}, not {value}; "
                f"repeat that option to go on with it, or use another --out."
            )
    return state
