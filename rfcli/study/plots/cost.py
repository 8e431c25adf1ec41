"""The study's figures: log-log, every curve labelled where it ends, what was not measured hollow and dashed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rfcli.pyplot import pyplot
from rfcli.runtime.files import replacing
from rfcli.study.plots.axes import bytes_label, count_label, round_values, seconds_label
from rfcli.study.results.tables import Row

# Okabe and Ito's palette, which people with any colour vision can tell apart; softmax, the reference, is black.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#aa4499", "#998822")
LABEL_GAP = 18.0  # pixels between the names of curves that end close together
SUFFIXES = (".png", ".svg")


@dataclass(frozen=True)
class Quantity:
    """What stands on the vertical axis: how to read it from a row, its interval if it has one, and how to write it."""

    title: str
    value: Callable[[Row], float | None]
    interval: Callable[[Row], tuple[float | None, float | None]] | None
    label: Callable[[float], str]


def draw_figures(
    folder: Path, rows: Sequence[Row], renders: Sequence[Row], titles: tuple[str, str], machine: str
) -> list[Path]:
    """Write time, memory (of the stage) and render (seconds of whole renders), each as .png and .svg, into `folder`;
    returns their paths.

    titles: what was run, of the stage and of the renders. machine: where, for the line below the figure.
    """
    seconds = Quantity(
        "Seconds", lambda row: row.seconds, lambda row: (row.seconds_low, row.seconds_high), seconds_label
    )
    memory = Quantity("Peak memory", lambda row: row.peak_bytes, None, bytes_label)
    return [
        *_draw(folder / "time", rows, seconds, titles[0], machine),
        *_draw(folder / "memory", rows, memory, titles[0], machine),
        *_draw(folder / "render", renders, seconds, titles[1], machine),
    ]


def _draw(stem: Path, rows: Sequence[Row], quantity: Quantity, title: str, machine: str) -> list[Path]:
    shown = [row for row in rows if (quantity.value(row) or 0) > 0]
    if not shown:
        return []
    figure, axes = pyplot().subplots(figsize=(7.2, 4.8), layout="constrained")
    axes.set(xscale="log", yscale="log")
    everyone = list(dict.fromkeys(row.attention for row in rows))  # one colour in all figures
    drawn = {row.attention for row in shown}
    palette = {name: c for name, c in zip(everyone, colours(len(everyone)), strict=True) if name in drawn}
    for name, colour in palette.items():
        _curve(axes, [row for row in shown if row.attention == name], colour, quantity)
    _label_ends(axes, shown, palette, quantity)
    _dress(axes, sorted({row.triangles for row in shown}), quantity)
    axes.set_title(f"{quantity.title}: {title}", loc="left", fontsize=11)
    notes = ["Bars: 95 % interval of the median."] if quantity.interval else []
    if any(not row.measured for row in shown):
        notes.append("Hollow, dashed: extrapolated, not measured.")
    return finished(figure, stem, f"{machine}\n{' '.join(notes)}".strip())


def finished(figure: Any, stem: Path, note: str) -> list[Path]:
    """Put the note below the figure, write it as `stem` with each of SUFFIXES, and let go of it; returns the paths."""
    figure.supxlabel(note, fontsize=7.5, color="#555555", x=0.01, ha="left")
    paths = [stem.with_suffix(suffix) for suffix in SUFFIXES]
    for path in paths:
        with replacing(path) as beside:
            figure.savefig(beside, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot().close(figure)
    return paths


def _curve(axes: Any, rows: list[Row], colour: str, quantity: Quantity) -> None:
    def points(some: list[Row]) -> tuple[list[int], list[float | None]]:
        return [row.triangles for row in some], [quantity.value(row) for row in some]

    measured = [row for row in rows if row.measured]
    beyond = [row for row in rows if not row.measured]
    axes.plot(*points(measured), "-o", color=colour, markersize=4.5, linewidth=1.6)
    axes.plot(*points(measured[-1:] + beyond), "--", color=colour, linewidth=1.2)
    axes.plot(*points(beyond), "o", markerfacecolor="white", markeredgecolor=colour, markersize=5.5, zorder=3)
    for row in rows:
        if quantity.interval:
            axes.plot([row.triangles] * 2, quantity.interval(row), color=colour, linewidth=3, alpha=0.35)


def _label_ends(axes: Any, rows: Sequence[Row], palette: dict[str, str], quantity: Quantity) -> None:
    """Each curve's name beside its last point, moved apart where curves end close together."""
    last = [max((row for row in rows if row.attention == name), key=lambda row: row.triangles) for name in palette]
    ends = [(row.triangles, quantity.value(row)) for row in last]
    axes.autoscale_view()  # limits are otherwise set when the figure is drawn, and positions are unknown until then
    heights = [float(height) for height in axes.transData.transform(ends)[:, 1]]
    for (name, colour), end, height, target in zip(
        palette.items(), ends, heights, spread(heights, LABEL_GAP, axes.bbox.y1), strict=True
    ):
        axes.annotate(
            name,
            end,
            xytext=(9, (target - height) * 72 / axes.figure.dpi),
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=10,
            fontweight="bold",
            annotation_clip=False,
        )


def _dress(axes: Any, counts: list[int], quantity: Quantity) -> None:
    """Ticks at the counts and at round values, a faint grid, no box."""
    from matplotlib.ticker import NullLocator

    low, high = axes.get_ylim()
    ticks = round_values(low, high)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())  # its labels would stand between ours
    axes.set_xticks(counts, [count_label(count) for count in counts])
    axes.set_yticks(ticks, [quantity.label(tick) for tick in ticks])
    axes.set_ylim(low, high)
    axes.set_xlabel("triangles")
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def spread(heights: list[float], gap: float, top: float) -> list[float]:
    """The heights, in their order, moved up as little as keeps neighbours `gap` apart, but then down from `top`."""
    moved = list(heights)
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    for lower, upper in pairwise(order):
        moved[upper] = max(moved[upper], moved[lower] + gap)
    for place, index in enumerate(reversed(order)):
        moved[index] = min(moved[index], top - place * gap)
    return moved


def colours(number: int) -> list[str]:
    """One of the palette for each curve, in their order."""
    return [COLOURS[index % len(COLOURS)] for index in range(number)]
