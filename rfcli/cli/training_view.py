"""The display under the progress bar of a training run, on a terminal."""

import math
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfcli.cli.progress import Trend
from rfcli.training.run import REPORT_EVERY

RECENT_STEPS = 50  # over which scenes per second are measured
NOT_TERMS = ("loss", "gradient_norm", "rate", "padding", "loading")  # values of a step that are no terms of the loss


class TrainingView:
    """The loss and its terms, the validation PSNR, and the speed. scenes: number of scenes per step."""

    def __init__(self, scenes: int) -> None:
        self.scenes = scenes
        self.loss, self.psnr = Trend(), Trend()
        self.best = -math.inf
        self.last: dict[str, float] = {}
        self.last_psnr: float | None = None
        self._transferring = False
        self._times: deque[float] = deque(maxlen=RECENT_STEPS)

    def add_history(self, history: Iterable[dict[str, Any]]) -> None:
        """Add the lines of the history of a resumed run."""
        for line in history:
            if "validation" in line:
                self.add_validation(line["validation"]["psnr"])
            elif "loss" in line:
                for _ in range(REPORT_EVERY):
                    self._add(line)

    def add_step(self, measured: dict[str, float]) -> None:
        """Add a step. measured: the result of `Run.step`."""
        self._times.append(time.monotonic())
        self._add(measured)
        self.last = measured

    def _add(self, measured: dict[str, float]) -> None:
        transferring = "transfer" in measured
        if transferring != self._transferring:  # the loss of transfer and that of images are not comparable
            self.loss, self._transferring = Trend(), transferring
        self.loss.add(measured["loss"])

    def add_validation(self, psnr: float) -> None:
        """Add the PSNR of a validation in dB."""
        self.last_psnr, self.best = psnr, max(self.best, psnr)
        self.psnr.add(psnr)

    def losses(self) -> str:
        """The loss and its terms."""
        terms = [f"{name} {value:.4f}" for name, value in self.last.items() if _is_term(name)]
        return f"{self.last['loss']:.4f}" + (f" ({', '.join(terms)})" if terms else "")

    def quality(self) -> str:
        """The last and the best validation PSNR."""
        return "not yet validated" if self.last_psnr is None else f"{self.last_psnr:.2f} dB, best {self.best:.2f}"

    def speed(self) -> str:
        """Speed, learning rate, gradient norm, padding and waiting for data in the last steps."""
        last = self.last
        parts = [f"learning rate {last['rate']:.2g}", f"gradient {last['gradient_norm']:.2g}"]
        seconds = self._times[-1] - self._times[0] if self._times else 0.0
        if seconds > 0:
            parts.insert(0, f"{self.scenes * (len(self._times) - 1) / seconds:.3g} scenes/s")
        return ", ".join(
            [*parts, f"{last['padding']:.0%} padding", f"{last['loading']:.1%} of the time waiting for data"]
        )

    def __rich__(self) -> RenderableType:
        if not self.last:
            return Text()
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_row("loss", self.loss, self.losses())
        table.add_row("PSNR", self.psnr, self.quality())
        return Group(table, Text(self.speed(), no_wrap=True, overflow="ellipsis"))


def _is_term(name: str) -> bool:
    return name not in NOT_TERMS and not name.startswith("gradient_norm_")
