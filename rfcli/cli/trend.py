"""A row of numbers as a sparkline: what the loss has done so far, in a line of text."""

from itertools import pairwise

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

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
