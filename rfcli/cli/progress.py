"""Progress of long work: a bar on a terminal, a line now and then in a log.

A row of numbers as a sparkline: what the loss has done so far, in a line of text.
"""

import time
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console as Rich
    from rich.console import RenderableType

LOG_EVERY = 30.0  # seconds between lines where there is no terminal


class Progress:
    """Counts steps and shows rate and time left. Made by `Console.progress`. drawn: there is a terminal to draw in."""

    def __init__(self, people: "Rich", description: str, total: int | None, unit: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        from rfcli.cli.progress_bar import Bar

        self.description, self.unit, self.note = description, unit, ""
        self.done: float = 0
        self.total: float | None = total
        self._people = people
        self._started = self._last_line = time.monotonic()
        shown = self.drawn = people.is_terminal and not people.quiet
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=people,
            refresh_per_second=4,  # each takes a millisecond or two of the work below
            speed_estimate_period=300,
            disable=not shown,
        )
        self._task = self._bar.add_task(description, total=total, rate="", note="")
        self._log = not shown

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """`steps` more are done. note: a few words beside the bar, such as the loss; None keeps those shown."""
        self.show(self.done + steps, self.total, self.note if note is None else note)

    def show(self, done: float, total: float | None, note: str) -> None:
        """Set everything anew, for work whose extent becomes known on the way."""
        self.done, self.total, self.note = done, total, note
        beside = note if self._bar.below is None else ""
        self._bar.update(self._task, completed=done, total=total, rate=self.rate(), note=beside)
        if self._log and time.monotonic() - self._last_line > LOG_EVERY:
            self._last_line = time.monotonic()
            self._people.print(self.line(), soft_wrap=True)

    @property
    def width(self) -> int:
        """Characters in a line of the terminal."""
        return self._people.width

    def above(self, picture: "RenderableType") -> None:
        """Show this above the bar, in place of what was shown there."""
        self._bar.above = picture

    def below(self, view: "RenderableType") -> None:
        """Show this below the bar, in place of the note beside it."""
        self._bar.below = view

    def seconds_each(self) -> float:
        """Mean seconds of a step so far; 0 before the first."""
        return (time.monotonic() - self._started) / self.done if self.done else 0.0

    def rate(self) -> str:
        """In steps a second, or seconds a step where those are slower; empty where the steps have no unit."""
        each = self.seconds_each()
        if not each or not self.unit:
            return ""
        return f"{1 / each:.3g} {self.unit}/s" if each < 1 else f"{each:.3g} s each"

    def line(self) -> str:
        """All of it in one line of text, for logs."""
        count = f"{self.done:.0f}" if self.total is None else f"{self.done:.0f}/{self.total:.0f}"
        parts = [f"{self.description} {count}", self.rate()]
        if self.total is not None and self.done:
            left = round(self.seconds_each() * (self.total - self.done))
            parts.append(f"{left // 60}:{left % 60:02d} left")
        return ", ".join(part for part in (*parts, self.note) if part)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-=+*%#"
POINTS = 512  # kept of however long a row: more than a terminal is wide


class Trend:
    """Means of ever longer stretches of a row, so that a run of any length fits; drawn by rich as wide as it may be."""

    def __init__(self) -> None:
        self.means: list[float] = []
        self._stretch = 1  # numbers in a mean
        self._open: list[float] = []

    def add(self, value: float) -> None:
        """One more number."""
        self._open.append(value)
        if len(self._open) < self._stretch:
            return
        self.means.append(sum(self._open) / len(self._open))
        self._open = []
        if len(self.means) == POINTS:
            self.means = [(a + b) / 2 for a, b in zip(self.means[::2], self.means[1::2], strict=True)]
            self._stretch *= 2

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(sparkline(self.means, options.max_width, ASCII_BARS if options.ascii_only else BARS))


def sparkline(values: list[float], width: int, bars: str = BARS) -> str:
    """At most `width` bars, as high as the means of equal parts of the values stand between the lowest and highest."""
    finite = [value for value in values if abs(value) < float("inf")]  # which nan is not either
    count = min(width, len(finite))
    edges = [len(finite) * i // count for i in range(count + 1)] if count else []
    means = [sum(finite[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means, default=0.0), max(means, default=0.0)
    steps = (len(bars) - 1) / (high - low) if high > low else 0.0
    return "".join(bars[round((mean - low) * steps)] for mean in means)
