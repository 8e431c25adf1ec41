"""The run for TensorBoard to show, beside its history: the same numbers, and the grid at each validation."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rfcli.errors import InputError
from rfcli.training.loop import GRID
from rfcli.training.run import REPORT_EVERY
from rfcli.training.validation import Validation

FOLDER = "tensorboard"


def writer() -> Any:
    """TensorBoard's class of writers. Raises InputError where the package is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("--tensorboard needs TensorBoard; pip install 'rfcli[tensorboard]'.") from None
    return SummaryWriter


class TensorBoard:
    """A watcher that writes to `out`/tensorboard, after whose every call all of it is on the disk.

    done: steps after which the run goes on; points beyond them, of a sitting that was killed, are declared void there,
    so that none is shown twice.
    """

    def __init__(self, out: Path, done: int) -> None:
        self._grid = out / GRID
        self._writer = writer()(out / FOLDER, purge_step=done + 1)

    def stepped(self, step: int, losses: dict[str, float]) -> None:
        if step % REPORT_EVERY == 0:
            self._write("training", step, losses)

    def validated(self, step: int, validation: Validation) -> None:
        self._writer.add_image("truth, prediction", np.asarray(Image.open(self._grid)), step, dataformats="HWC")
        self._write("validation", step, validation.as_dict())

    def warned(self, sentence: str) -> None:
        """Nothing: sentences are for the console."""

    def close(self) -> None:
        self._writer.close()

    def _write(self, group: str, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)
        self._writer.flush()
