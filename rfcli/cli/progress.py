"""Progress of long work: a bar on a terminal, a changing line in a notebook, lines in a log, and sparklines."""

import time
from collections.abc import Iterable
from itertools import pairwise
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from rfcli.cli.notebook import ChangingLine, in_notebook

LOG_INTERVAL = 30.0  # seconds between lines if there is no terminal
SPARKS, ASCII_SPARKS = "▁▂▃▄▅▆▇█", "_.-=+*%#"
MAX_POINTS = 512  # numbers kept by a `Trend`; more than the width of a terminal


class Bar(RichProgress):
    """The bar of rich, with optional content above and below it."""

    above: RenderableType | None = None
    below: RenderableType | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.above is not None:
            yield self.above
        yield from super().get_renderables()
        if self.below is not None:
            yield self.below


class Progress:
    """Counts steps; shows rate and time left. Made by `Console.progress`.

    Attributes:
        description: Name of the work.
        unit: Unit of the steps, in the plural; "" = no rate is shown.
        note: A few words shown next to the bar.
        done: Steps done.
        total: Steps in all; None = unknown.
        drawn: Whether a bar is drawn, which needs a terminal that can move its cursor.
    """

    def __init__(self, output: Console, description: str, total: int | None, unit: str) -> None:
        self.description, self.unit, self.note = description, unit, ""
        self.done: float = 0
        self.total: float | None = total
        self.drawn = output.is_interactive and not output.quiet
        self._output = output
        self._line = ChangingLine() if in_notebook() and not output.quiet else None
        self._started = self._last_line = time.monotonic()
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=output,
            refresh_per_second=4,  # each refresh takes a millisecond or two from the work
            speed_estimate_period=300,
            disable=not self.drawn,
        )
        self._task = self._bar.add_task(description, total=total, rate="", note="")

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Count `steps` more; a note of None keeps the one shown."""
        self.show(self.done + steps, self.total, self.note if note is None else note)

    def show(self, done: float, total: float | None, note: str) -> None:
        """Set steps done, total and note, for work whose total becomes known later."""
        self.done, self.total, self.note = done, total, note
        shown_note = note if self._bar.below is None else ""
        self._bar.update(self._task, completed=done, total=total, rate=self.rate(), note=shown_note)
        if self._line:
            self._line.show(self.line(), done, total)
        elif not self.drawn and time.monotonic() - self._last_line > LOG_INTERVAL:
            self._last_line = time.monotonic()
            self._output.print(self.line(), soft_wrap=True)

    @property
    def width(self) -> int:
        """Characters in a line of the terminal."""
        return self._output.width

    def above(self, content: RenderableType) -> None:
        """Show this above the bar; replaces earlier content."""
        self._bar.above = content

    def below(self, content: RenderableType) -> None:
        """Show this below the bar; replaces the note next to it."""
        self._bar.below = content

    def seconds_each(self) -> float:
        """Mean seconds per step so far; 0 before the first."""
        return (time.monotonic() - self._started) / self.done if self.done else 0.0

    def rate(self) -> str:
        """Steps per second, or seconds per step for slow steps; "" if the steps have no unit."""
        each = self.seconds_each()
        if not each or not self.unit:
            return ""
        return f"{1 / each:.3g} {self.unit}/s" if each < 1 else f"{each:.3g} s each"

    def line(self) -> str:
        """Description, count, rate, time left and note in one line, for logs."""
        count = f"{self.done:.0f}" if self.total is None else f"{self.done:.0f}/{self.total:.0f}"
        parts = [f"{self.description} {count}", self.rate()]
        if self.total is not None and self.done:
            left = max(0, round(self.seconds_each() * (self.total - self.done)))
            parts.append(f"{left // 60}:{left % 60:02d} left")
        return ", ".join(part for part in (*parts, self.note) if part)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._line:
            self._line.show(self.line(), self.done, self.total, last=True)


class Trend:
    """A series of numbers as a sparkline; long series are reduced to means of 2, 4, 8, ... numbers each.

    rich prints it as wide as the available space.
    """

    def __init__(self) -> None:
        self.means: list[float] = []
        self._per_mean = 1  # numbers in each mean
        self._pending: list[float] = []

    def add(self, value: float) -> None:
        """Append a number."""
        self._pending.append(value)
        if len(self._pending) < self._per_mean:
            return
        self.means.append(sum(self._pending) / len(self._pending))
        self._pending = []
        if len(self.means) == MAX_POINTS:
            self.means = [(a + b) / 2 for a, b in zip(self.means[::2], self.means[1::2], strict=True)]
            self._per_mean *= 2

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(sparkline(self.means, options.max_width, ASCII_SPARKS if options.ascii_only else SPARKS))


def sparkline(values: list[float], width: int, sparks: str = SPARKS) -> str:
    """At most `width` characters: means of equal parts of the values, scaled from the lowest to the highest mean."""
    finite = [value for value in values if abs(value) < float("inf")]  # also drops nan
    count = min(width, len(finite))
    edges = [len(finite) * i // count for i in range(count + 1)] if count else []
    means = [sum(finite[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means, default=0.0), max(means, default=0.0)
    steps = (len(sparks) - 1) / (high - low) if high > low else 0.0
    return "".join(sparks[round((mean - low) * steps)] for mean in means)
