"""What stands under the progress bar while a model is trained, on a terminal."""

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

RECENT = 50  # steps over which scenes a second are counted
APART = ("loss", "gradient_norm", "rate", "padding", "loading")  # of what a step tells; the rest are terms of the loss


class TrainingView:
    """The loss and its terms, the validation PSNR, and how the machine fares. scenes: in a step."""

    def __init__(self, scenes: int) -> None:
        self.scenes = scenes
        self.loss, self.psnr = Trend(), Trend()
        self.best = -math.inf
        self.last: dict[str, float] = {}
        self.last_psnr: float | None = None
        self._transferring = False
        self._times: deque[float] = deque(maxlen=RECENT)

    def remember(self, history: Iterable[dict[str, Any]]) -> None:
        """What earlier sittings of the run have recorded."""
        for line in history:
            if "validation" in line:
                self.validated(line["validation"]["psnr"])
            elif "loss" in line:
                for _ in range(REPORT_EVERY):
                    self._add(line)

    def stepped(self, measured: dict[str, float]) -> None:
        """One more step, of which `Run.step` told this."""
        self._times.append(time.monotonic())
        self._add(measured)
        self.last = measured

    def _add(self, measured: dict[str, float]) -> None:
        transferring = "transfer" in measured
        if transferring != self._transferring:  # from here on the loss is another
            self.loss, self._transferring = Trend(), transferring
        self.loss.add(measured["loss"])

    def validated(self, psnr: float) -> None:
        """One more validation, dB."""
        self.last_psnr, self.best = psnr, max(self.best, psnr)
        self.psnr.add(psnr)

    def losses(self) -> str:
        """The loss and its terms."""
        terms = [f"{name} {value:.4f}" for name, value in self.last.items() if _is_term(name)]
        return f"{self.last['loss']:.4f}" + (f" ({', '.join(terms)})" if terms else "")

    def quality(self) -> str:
        """The validation PSNR, last and best."""
        return "not yet validated" if self.last_psnr is None else f"{self.last_psnr:.2f} dB, best {self.best:.2f}"

    def machine(self) -> str:
        """What a step is like."""
        told = self.last
        parts = [f"learning rate {told['rate']:.2g}", f"gradient {told['gradient_norm']:.2g}"]
        took = self._times[-1] - self._times[0] if self._times else 0.0
        if took > 0:
            parts.insert(0, f"{self.scenes * (len(self._times) - 1) / took:.3g} scenes/s")
        return ", ".join([*parts, f"{told['padding']:.0%} padding", f"{told['loading']:.1%} of the time loading"])

    def __rich__(self) -> RenderableType:
        if not self.last:
            return Text()
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_row("loss", self.loss, self.losses())
        table.add_row("PSNR", self.psnr, self.quality())
        return Group(table, Text(self.machine(), no_wrap=True, overflow="ellipsis"))


def _is_term(name: str) -> bool:
    return name not in APART and not name.startswith("gradient_norm_")
