"""Curves in a terminal, both axes logarithmic: lines of Braille dots, and letters of their names at their points."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

from rfcli.study.plots.axes import count_label, round_values, seconds_label

if TYPE_CHECKING:
    from rich.text import Text

Curve = Sequence[tuple[float, float]]
Spot = tuple[int, int]  # row and column of characters, from the top left

STYLES = ("bold", "red", "blue", "green", "magenta", "yellow", "cyan")
BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a character, by row and column in it
MARGIN = 9  # columns left of the axis, for labels
MOST_TICKS = 5


def terminal_plot(curves: Mapping[str, Curve], counts: Sequence[int], width: int, height: int) -> "Text":
    """The curves, each (triangles, seconds) ascending, over an axis from the first to the last of `counts`.

    width, height: of the plot in characters, labels included; the last lines are the axis and the names.
    """
    from rich.text import Text

    seconds = [value for curve in curves.values() for _, value in curve]
    low, high = min(seconds), max(seconds)
    ticks = [tick for tick in round_values(low, high, MOST_TICKS) if low / 1.2 <= tick <= high * 1.2]
    bottom, top = log(min(low, *ticks)), log(max(high, *ticks))
    left, right = log(min(counts)), log(max(counts))
    columns, rows = width - MARGIN, height - 2

    def place(x: float, y: float) -> tuple[float, float]:
        """Row and column, in characters."""
        across = (log(x) - left) / (right - left or 1.0)
        up = (log(y) - bottom) / (top - bottom or 1.0)
        return (1 - up) * (rows - 1), across * (columns - 1)

    cells: dict[Spot, tuple[str, str]] = {}
    letters = marks(list(curves))
    for index, (name, curve) in enumerate(curves.items()):
        style = STYLES[index % len(STYLES)]
        spots = [place(*point) for point in curve]
        for spot, dots in line(spots).items():
            cells[spot] = chr(BRAILLE + dots), style
        for row, column in spots:
            cells[round(row), round(column)] = letters[name], style
    labels = {round(place(min(counts), tick)[0]): seconds_label(tick) for tick in ticks}
    text = Text()
    for row in range(rows):
        text.append(f"{labels.get(row, ''):>{MARGIN - 2}} {'┤' if row in labels else '│'}")
        for column in range(columns):
            text.append(*cells.get((row, column), (" ", "")))
        text.append("\n")
    text.append(" " * MARGIN + across({count_label(n): round(place(n, low)[1]) for n in counts}, columns) + "\n")
    text.append(" " * MARGIN)
    for index, name in enumerate(curves):
        text.append(f"{letters[name]} {name}  ", STYLES[index % len(STYLES)])
    return text


def marks(names: Sequence[str]) -> dict[str, str]:
    """A letter for each name: the first of its own that no other has; a star where it has none left."""
    taken: dict[str, str] = {}
    for name in names:
        free = [letter for letter in name if letter.isalnum() and letter not in taken.values()]
        taken[name] = free[0] if free else "*"
    return taken


def line(spots: Sequence[tuple[float, float]]) -> dict[Spot, int]:
    """Straight lines from spot to spot (row, column): by character, which of its eight dots are set."""
    found: dict[Spot, int] = {}
    for (r0, c0), (r1, c1) in pairwise(spots):
        steps = max(1, round(max(4 * abs(r1 - r0), 2 * abs(c1 - c0))))
        for step in range(steps + 1):
            row, column = (a + (b - a) * step / steps for a, b in ((r0, r1), (c0, c1)))
            y, x = int(4 * (row + 0.5)), int(2 * (column + 0.5))
            spot = y // 4, x // 2
            found[spot] = found.get(spot, 0) | DOTS[y % 4][x % 2]
    return found


def across(labels: Mapping[str, int], columns: int) -> str:
    """The labels in one line, each beginning at its column, or ending at the line's end; those that touch left out."""
    text = ""
    for label, column in labels.items():
        start = min(column, columns - len(label))
        if not text or start > len(text):
            text = text.ljust(start) + label
    return text
