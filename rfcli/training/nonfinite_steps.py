"""Steps whose loss or gradient is not finite: skipped and counted; the first is written to a file for debugging."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from rfcli.errors import InputError
from rfcli.model import RenderFormer, SceneBatch
from rfcli.runtime.files import replacing
from rfcli.training.batch import TrainingBatch
from rfcli.training.run_folder import readable_write_errors

MAX_IN_A_ROW = 20  # more are not caused by unlucky batches


class NonfiniteSteps:
    """Counter of the skipped steps of a session.

    Attributes:
        in_a_row: Skipped steps since the last good one.
        file: File of the first skipped step; None if there is none.

    Args:
        out: Folder of the run; None = write no file.
    """

    def __init__(self, out: Path | None) -> None:
        self.in_a_row = 0
        self.file: Path | None = None
        self._out = out

    def skip(
        self,
        step: int,
        model: RenderFormer | None,
        teacher: RenderFormer | None,
        batch: TrainingBatch,
        precision: torch.dtype,
    ) -> None:
        """Count a step, and write the first one.

        Args:
            step: Index of the step.
            model: The model before the step; None = another process writes the file.
            teacher: The softmax model, if the step is one of attention transfer.
            batch: Scenes of the step.
            precision: Number format of matrix products.

        Raises:
            InputError: More than MAX_IN_A_ROW steps in a row were skipped.
        """
        self.in_a_row += 1
        if self.file is None and self._out is not None and model is not None:
            with readable_write_errors(self._out):
                self.file = write_step(self._out, step, model, teacher, batch, precision)
        if self.in_a_row > MAX_IN_A_ROW:
            file = f" ({self.file} holds the first of them)" if self.file else ""
            raise InputError(
                f"{self.in_a_row} steps in a row had no finite loss and gradient; use a lower `rate` or another "
                f"`out`{file}."
            )


def write_step(
    out: Path,
    step: int,
    model: RenderFormer,
    teacher: RenderFormer | None,
    batch: TrainingBatch,
    precision: torch.dtype,
) -> Path:
    """Write everything that a step depends on, so that it can be repeated; returns the file."""
    path = out / f"bad-step-{step:08d}.pt"
    values = {
        "step": step,
        "precision": str(precision).removeprefix("torch."),
        "model": _model(model),
        "teacher": None if teacher is None else _model(teacher),
        "batch": {**_tensors(batch), "scenes": _tensors(batch.scenes)},
    }
    with replacing(path) as temporary:
        torch.save(values, temporary)
    return path


def _model(model: RenderFormer) -> dict[str, Any]:
    return {"config": model.config.to_dict(), "weights": model.state_dict()}


def _tensors(given: TrainingBatch | SceneBatch) -> dict[str, Any]:
    return {field.name: getattr(given, field.name) for field in fields(given)}
