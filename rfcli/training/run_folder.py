"""The files of a run: the model, the best model, their model card, the training state, and the history."""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from rfcli import __version__
from rfcli.errors import InputError
from rfcli.model import RenderFormer, save_checkpoint
from rfcli.runtime.files import replacing
from rfcli.training.state import TrainState, save_state, states
from rfcli.training.validation import Validation

BEST = "best"  # folder of the model with the highest validation PSNR
HISTORY = "metrics.jsonl"  # losses and validations, a line each, in the order of steps


def write_model(
    model: RenderFormer, out: Path, record: dict[str, Any], validation: Validation, best: float | None
) -> float:
    """Write the model to `out`, and to `out`/best if its PSNR is the highest so far.

    Args:
        model: The model.
        out: Folder of the run.
        record: Options and data of the run, for the model card.
        validation: Quality of the model.
        best: Highest PSNR of earlier validations in dB; None = this is the first.

    Returns:
        The highest PSNR so far in dB.
    """
    card = model_card(model, record, validation)
    with readable_write_errors(out):
        save_checkpoint(model, out, card)
        if best is None or validation.psnr > best:
            save_checkpoint(model, out / BEST, card)
    return validation.psnr if best is None else max(best, validation.psnr)


def write_state(out: Path, state: TrainState, keep: int) -> None:
    """Write the state. To be called last: a resumed run expects all other files of this step to be there."""
    with readable_write_errors(out):
        save_state(out, state, keep)


@contextmanager
def readable_write_errors(out: Path) -> Iterator[None]:
    """Turns errors of writing files (a full disk) into an InputError that says from which step the run resumes."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors hide the system's error
        found = states(out)
        start = f"step {int(found[-1].stem.removeprefix('step-')):,}" if found else "the beginning"
        raise InputError(
            f"{out}: the checkpoint cannot be written ({_reason(error)}); free some space, or repair the folder, and "
            f"run the same command again, which resumes from {start}."
        ) from error


def _reason(error: BaseException) -> str:
    """The operating system's message, from wherever it is in the chain of errors."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return " ".join(str(error).split())


def model_card(model: RenderFormer, record: dict[str, Any], validation: Validation) -> str:
    """The model card in Markdown: architecture, options of the run, and quality.

    record: options and data of the run by name. validation: quality on held-out scenes.
    """
    config = model.config
    lines = [
        "---",
        "license: mit",
        "tags: [renderformer, neural-rendering, global-illumination]",
        "---",
        "# RenderFormer checkpoint",
        "",
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, attention `{config.attention}`, "
        f"visibility `{config.visibility}`, channels `{config.channels}`, light `{config.light}`, "
        f"key weight `{config.key_weight}`, "
        f"{config.num_layers} + {config.view_transformer_n_layers} layers, width {config.latent_dim}.",
        "",
        f"Made by rf {__version__} with torch {torch.__version__} on {platform.machine()}.",
        "",
        "| option | value |",
        "|---|---|",
        *(f"| {name} | {json.dumps(value, default=str)} |" for name, value in record.items()),
        "",
        "Held-out scenes, mean over views, on clamp(log2(1 + radiance), 0, 1):",
        "",
        "| PSNR | SSIM | PSNR without attention between triangles |",
        "|---|---|---|",
        f"| {validation.psnr:.2f} dB | {validation.ssim:.4f} | {validation.psnr_without_attention:.2f} dB |",
    ]
    return "\n".join(lines) + "\n"


def append_history(path: Path, step: int, values: dict[str, Any]) -> None:
    """Append a line to the history."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, **values}) + "\n")


def read_history(path: Path) -> list[dict[str, Any]]:
    """The lines of the history; an incomplete last line, of a killed run, is left out."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def truncate_history(path: Path, step: int) -> None:
    """Remove the lines after `step`, which a resumed run will write again, and an incomplete last line."""
    if not path.exists():
        return
    lines = [line for line in read_history(path) if line["step"] <= step]
    with replacing(path) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
