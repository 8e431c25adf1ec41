"""A plot in the terminal: lines of Braille dots on logarithmic axes, and a letter of each curve at its points."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log

from rich.text import Text

from rfcli.study.plots.axes import count_label, round_values, seconds_label

Curve = Sequence[tuple[float, float]]
Cell = tuple[int, int]  # row and column of a character, from the top left

STYLES = ("bold", "red", "blue", "green", "magenta", "yellow", "cyan")
BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a character, by row and column within it
LABEL_WIDTH = 9  # columns left of the axis
MAX_TICKS = 5


def terminal_plot(curves: Mapping[str, Curve], counts: Sequence[int], width: int, height: int) -> Text:
    """Plot curves of (triangles, seconds), ascending, over an axis from the first to the last of `counts`.

    width, height: of the plot in characters, including labels; the last two lines are the axis and the names.
    """
    seconds = [value for curve in curves.values() for _, value in curve]
    low, high = min(seconds), max(seconds)
    ticks = [tick for tick in round_values(low, high, MAX_TICKS) if low / 1.2 <= tick <= high * 1.2]
    bottom, top = log(min(low, *ticks)), log(max(high, *ticks))
    left, right = log(min(counts)), log(max(counts))
    columns, rows = width - LABEL_WIDTH, height - 2

    def place(x: float, y: float) -> tuple[float, float]:
        """Row and column, in characters."""
        across = (log(x) - left) / (right - left or 1.0)
        up = (log(y) - bottom) / (top - bottom or 1.0)
        return (1 - up) * (rows - 1), across * (columns - 1)

    cells: dict[Cell, tuple[str, str]] = {}
    letters = curve_letters(list(curves))
    for index, (name, curve) in enumerate(curves.items()):
        style = STYLES[index % len(STYLES)]
        points = [place(*point) for point in curve]
        for cell, dots in line_dots(points).items():
            cells[cell] = chr(BRAILLE + dots), style
        for row, column in points:
            cells[round(row), round(column)] = letters[name], style
    labels = {round(place(min(counts), tick)[0]): seconds_label(tick) for tick in ticks}
    text = Text()
    for row in range(rows):
        text.append(f"{labels.get(row, ''):>{LABEL_WIDTH - 2}} {'┤' if row in labels else '│'}")
        for column in range(columns):
            text.append(*cells.get((row, column), (" ", "")))
        text.append("\n")
    count_columns = {count_label(n): round(place(n, low)[1]) for n in counts}
    text.append(" " * LABEL_WIDTH + axis_labels(count_columns, columns) + "\n")
    text.append(" " * LABEL_WIDTH)
    for index, name in enumerate(curves):
        text.append(f"{letters[name]} {name}  ", STYLES[index % len(STYLES)])
    return text


def curve_letters(names: Sequence[str]) -> dict[str, str]:
    """A letter for each name: the first of its letters that no earlier name has; a star if there is none."""
    letters: dict[str, str] = {}
    for name in names:
        free = [letter for letter in name if letter.isalnum() and letter not in letters.values()]
        letters[name] = free[0] if free else "*"
    return letters


def line_dots(points: Sequence[tuple[float, float]]) -> dict[Cell, int]:
    """Straight lines between points (row, column): by character, which of its eight dots are set."""
    found: dict[Cell, int] = {}
    for (r0, c0), (r1, c1) in pairwise(points):
        steps = max(1, round(max(4 * abs(r1 - r0), 2 * abs(c1 - c0))))
        for step in range(steps + 1):
            row, column = (a + (b - a) * step / steps for a, b in ((r0, r1), (c0, c1)))
            y, x = int(4 * (row + 0.5)), int(2 * (column + 0.5))
            cell = y // 4, x // 2
            found[cell] = found.get(cell, 0) | DOTS[y % 4][x % 2]
    return found


def axis_labels(labels: Mapping[str, int], columns: int) -> str:
    """The labels in one line, each at its column, but not beyond the end; those that would touch are left out."""
    text = ""
    for label, column in labels.items():
        start = min(column, columns - len(label))
        if not text or start > len(text):
            text = text.ljust(start) + label
    return text
