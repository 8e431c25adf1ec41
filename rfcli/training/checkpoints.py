"""Everything that must outlive the run: the model so far, the best model, and the state from which to go on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from rfcli.errors import InputError
from rfcli.model import RenderFormer, save_checkpoint
from rfcli.training.card import model_card
from rfcli.training.state import TrainState, save_state, states
from rfcli.training.validation import Validation

BEST = "best"


def keep_model(
    model: RenderFormer, out: Path, made: dict[str, Any], validation: Validation, best: float | None
) -> float:
    """Write the model to `out`, and to its folder `best` where no validation before had a higher PSNR.

    best: the highest PSNR before, dB; returns the highest with this one. made: for the model card.
    """
    card = model_card(model, made, validation)
    with explained(out):
        save_checkpoint(model, out, card)
        if best is None or validation.psnr > best:
            save_checkpoint(model, out / BEST, card)
    return validation.psnr if best is None else max(best, validation.psnr)


def keep_state(out: Path, state: TrainState, keep: int) -> None:
    """Write the state. To be called last: whoever goes on from it relies on the model of its step being there."""
    with explained(out):
        save_state(out, state, keep)


@contextmanager
def explained(out: Path) -> Iterator[None]:
    """Within, a file that cannot be written (a full disk) ends in a sentence that says from where the run can go on."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors hide the system's own error
        kept = states(out)
        since = f"step {int(kept[-1].stem.removeprefix('step-')):,}" if kept else "the beginning"
        raise InputError(
            f"{out}: the checkpoint cannot be written ({_reason(error)}); free some space, or mend the folder, and "
            f"give the same command, which goes on from {since}."
        ) from error


def _reason(error: BaseException) -> str:
    """The system's words, wherever in the chain of errors they stand."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.strerror:
            return at.strerror.lower()
        at = at.__cause__ or at.__context__
    return " ".join(str(error).split())
