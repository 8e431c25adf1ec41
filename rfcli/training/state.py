"""What a killed run needs to go on exactly: one file, whole or absent.

The order of the data and every random draw follow from the seed and the number of the step, so no generator's state
is kept.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rfcli.atomic import replacing
from rfcli.errors import InputError
from rfcli.training.options import TrainOptions

STATE = "state.pt"


@dataclass(frozen=True)
class TrainState:
    """step: optimiser steps done. weights, optimizer: state dicts. options: those that the run was started with.
    config: the model's. precision: number format of the products, which a second measurement could choose otherwise.
    hours: spent on training so far."""

    step: int
    weights: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    options: dict[str, Any]
    config: dict[str, Any]
    precision: str
    hours: float


def recorded(options: TrainOptions) -> dict[str, Any]:
    """The options that decide the result of a run, as plain values."""
    values = asdict(options)
    del values["out"]
    return values | {"data": str(options.data), "triangles": list(options.triangles) if options.triangles else None}


def save_state(path: Path, state: TrainState) -> None:
    """Write the state of the run beside its checkpoint."""
    with replacing(path) as beside:
        torch.save(vars(state), beside)


def read_state(path: Path, options: TrainOptions) -> TrainState | None:
    """The state at `path`, None where there is none.

    Raises InputError where the run was started with other options, naming the first that differs.
    """
    if not path.exists():
        return None
    try:
        state = TrainState(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise InputError(
            f"{path} is not a readable training state ({type(error).__name__}); delete it or use another --out."
        ) from error
    for name, value in recorded(options).items():
        if state.options.get(name) != value:
            raise InputError(
                f"{path.parent} holds a run with --{name.replace('_', '-')} {state.options.get(name)}, not {value}; "
                f"repeat that option to go on with it, or use another --out."
            )
    return state
