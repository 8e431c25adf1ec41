"""The figures of a study as PNG and SVG: time and memory, image quality, and the comparison of two studies."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rfcli.runtime.files import legible, replacing
from rfcli.runtime.plotting import pyplot
from rfcli.study.plots.axes import COLOURS, bytes_label, count_label, round_values, seconds_label
from rfcli.study.results.comparison import Difference
from rfcli.study.results.quality import QualityMean, QualityRow, scene_means, scenes_label
from rfcli.study.results.tables import Row

SUFFIXES = (".png", ".svg")
LABEL_GAP = 18.0  # pixels between the names of curves that end close together
MAX_SECONDS_TICKS = 6  # of a panel of the quality figure
BAR_SHIFT = 1.04  # horizontal factor between the error bars of two mechanisms, so that they do not overlap
SERIES_TITLES = {
    "tessellated": "the same scenes, tessellated more finely",
    "detailed": "different scenes at each count, with more detail",
}


@dataclass(frozen=True)
class Quantity:
    """The quantity on a vertical axis.

    Attributes:
        title: Title of the figure.
        value: Reads the quantity from a row.
        interval: Reads its 95 % interval; None if it has none.
        label: Writes a value as a tick label.
    """

    title: str
    value: Callable[[Row], float | None]
    interval: Callable[[Row], tuple[float | None, float | None]] | None
    label: Callable[[float], str]


SECONDS = Quantity("Seconds", lambda row: row.seconds, lambda row: (row.seconds_low, row.seconds_high), seconds_label)
MEMORY = Quantity("Peak memory", lambda row: row.peak_bytes, None, bytes_label)


def draw_cost(
    folder: Path, rows: Sequence[Row], renders: Sequence[Row], titles: tuple[str, str], machine: str
) -> list[Path]:
    """Draw time and memory of the stage, and time of whole renders, against triangles on logarithmic axes.

    Extrapolated points are hollow and dashed. Figures without a known value are left out.

    Args:
        folder: Folder for the files time, memory and render, each as .png and .svg.
        rows: Table of the view-independent stage.
        renders: Table of whole renders.
        titles: Descriptions of the runs, of the stage and of whole renders.
        machine: Description of the machine, for the line below the figure.

    Returns:
        The files.
    """
    return [
        *_draw_quantity(folder / "time", rows, SECONDS, titles[0], machine),
        *_draw_quantity(folder / "memory", rows, MEMORY, titles[0], machine),
        *_draw_quantity(folder / "render", renders, SECONDS, titles[1], machine),
    ]


def draw_quality(folder: Path, rows: Sequence[QualityRow], names: Sequence[str], machine: str) -> list[Path]:
    """Draw PSNR against the path-traced image over seconds of a whole render, a panel for each series of scenes.

    Along a curve the triangle count grows, from the smallest mark to the largest.

    Args:
        folder: Folder for quality.png and quality.svg.
        rows: Scores of pictures.
        names: All mechanisms, which have the same colours in all figures.
        machine: Description of the machine, for the line below the figure.

    Returns:
        The files; none if there are no rows.
    """
    if not rows:
        return []
    means = scene_means(rows)
    scenes = list(dict.fromkeys(row.scene for row in means))
    figure, panels = pyplot().subplots(
        1, len(scenes), figsize=(max(6.4, 1 + 4.6 * len(scenes)), 4.8), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, scene in zip(panels[0], scenes, strict=True):
        axes.set_xscale("log")
        for name, colour in _colours(names).items():
            _quality_curve(axes, [row for row in means if (row.scene, row.attention) == (scene, name)], colour)
        _seconds_axis(axes)
        axes.set_title(SERIES_TITLES.get(scene, legible(scene)), loc="left", fontsize=10)
    panels[0][0].set_ylabel("PSNR against path-traced truth, dB")
    _legend(figure, panels[0][0])
    counts = [row.triangles for row in means]
    smallest, largest = min(counts), max(counts)
    notes = [machine, f"Each mark: {scenes_label(means)}."]
    if smallest < largest:
        notes.append(f"Marks grow with the triangle count, {count_label(smallest)} to {count_label(largest)}.")
    if any(not row.trained for row in rows):
        notes.append("Dashed: an untrained swap, the softmax model's weights with another mechanism.")
    return _save(figure, folder / "quality", "\n".join(notes))


def draw_comparison(folder: Path, differences: Sequence[Difference], names: tuple[str, str]) -> list[Path]:
    """Draw the curves of two studies over each other, and the ratio of their seconds.

    Args:
        folder: Folder for compare.png and compare.svg.
        differences: Differences of the two studies; those outside noise have a filled mark, others a hollow one.
        names: Names of the two studies.

    Returns:
        The files.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter, ScalarFormatter

    names = (legible(names[0]), legible(names[1]))
    figure, (overlay, ratios) = pyplot().subplots(1, 2, figsize=(10.2, 4.8), layout="constrained")
    attentions = dict.fromkeys(one.attention for one in differences)
    for index, (name, colour) in enumerate(_colours(attentions).items()):
        points = sorted((one for one in differences if one.attention == name), key=lambda one: one.triangles)
        counts = [one.triangles for one in points]
        shifted = [count * BAR_SHIFT**index for count in counts]
        overlay.plot(counts, [one.first for one in points], "--", color=colour, linewidth=1.2)
        overlay.plot(counts, [one.second for one in points], "-", color=colour, linewidth=1.6)
        ratios.plot(shifted, [one.ratio for one in points], "-", color=colour, linewidth=1.2, label=name)
        for count, one in zip(shifted, points, strict=True):
            face = colour if one.outside_noise else "white"
            ratios.plot([count] * 2, [one.low, one.high], color=colour, linewidth=3, alpha=0.35)
            ratios.plot(count, one.ratio, "o", markerfacecolor=face, markeredgecolor=colour, markersize=6)
    ratios.axhline(1.0, color="#555555", linewidth=0.8)
    for axes in (overlay, ratios):
        axes.set_xscale("log")
        _triangles_axis(axes, {one.triangles for one in differences})
    overlay.set_yscale("log")
    overlay.yaxis.set_major_formatter(FuncFormatter(lambda number, _: seconds_label(number)))
    overlay.yaxis.set_minor_formatter(NullFormatter())
    overlay.set_title(f"Seconds: {names[0]} (dashed), {names[1]} (solid)", loc="left", fontsize=10)
    ratios.yaxis.set_major_formatter(ScalarFormatter())
    ratios.set_title(f"{names[1]} / {names[0]}", loc="left", fontsize=10)
    _legend(figure, ratios)
    note = "Bars: 95 % interval of the ratio of medians. Filled: outside noise. Hollow: within noise."
    return _save(figure, folder / "compare", note)


def _draw_quantity(stem: Path, rows: Sequence[Row], quantity: Quantity, title: str, machine: str) -> list[Path]:
    shown = [row for row in rows if (quantity.value(row) or 0) > 0]
    if not shown:
        return []
    figure, axes = pyplot().subplots(figsize=(7.2, 4.8), layout="constrained")
    axes.set(xscale="log", yscale="log")
    drawn = {row.attention for row in shown}
    colours = {name: colour for name, colour in _colours(row.attention for row in rows).items() if name in drawn}
    for name, colour in colours.items():
        _cost_curve(axes, [row for row in shown if row.attention == name], colour, quantity)
    _label_ends(axes, shown, colours, quantity)
    _quantity_axis(axes, quantity)
    _triangles_axis(axes, {row.triangles for row in shown})
    axes.set_title(f"{quantity.title}: {title}", loc="left", fontsize=11)
    notes = ["Bars: 95 % interval of the median."] if quantity.interval else []
    if any(not row.measured for row in shown):
        notes.append("Hollow, dashed: extrapolated, not measured.")
    return _save(figure, stem, f"{machine}\n{' '.join(notes)}".strip())


def _cost_curve(axes: Any, rows: list[Row], colour: str, quantity: Quantity) -> None:
    def points(some: list[Row]) -> tuple[list[int], list[float | None]]:
        return [row.triangles for row in some], [quantity.value(row) for row in some]

    measured = [row for row in rows if row.measured]
    extrapolated = [row for row in rows if not row.measured]
    axes.plot(*points(measured), "-o", color=colour, markersize=4.5, linewidth=1.6)
    axes.plot(*points(measured[-1:] + extrapolated), "--", color=colour, linewidth=1.2)
    axes.plot(*points(extrapolated), "o", markerfacecolor="white", markeredgecolor=colour, markersize=5.5, zorder=3)
    for row in rows:
        if quantity.interval:
            axes.plot([row.triangles] * 2, quantity.interval(row), color=colour, linewidth=3, alpha=0.35)


def _quality_curve(axes: Any, rows: Sequence[QualityMean], colour: str) -> None:
    """The means of one mechanism over one series."""
    if not rows:
        return
    rows = sorted(rows, key=lambda row: row.triangles)
    seconds, decibels = [row.seconds for row in rows], [row.truth["psnr"] for row in rows]
    untrained = not rows[0].trained
    style, label = ("--", f"{rows[0].attention} (untrained)") if untrained else ("-", rows[0].attention)
    axes.plot(seconds, decibels, style, color=colour, linewidth=1.4, marker="o", markersize=0.1, label=label)
    sizes = [14 * (1 + step) for step in range(len(rows))]
    axes.scatter(seconds, decibels, s=sizes, color=colour, facecolor="white" if untrained else colour, zorder=3)


def _label_ends(axes: Any, rows: Sequence[Row], colours: dict[str, str], quantity: Quantity) -> None:
    """Write each curve's name next to its last point, moved apart where curves end close together."""
    last = [max((row for row in rows if row.attention == name), key=lambda row: row.triangles) for name in colours]
    ends = [(row.triangles, quantity.value(row)) for row in last]
    axes.autoscale_view()  # otherwise limits are set when the figure is drawn, and positions are unknown until then
    heights = [float(height) for height in axes.transData.transform(ends)[:, 1]]
    for (name, colour), end, height, target in zip(
        colours.items(), ends, heights, spread_out(heights, LABEL_GAP, axes.bbox.y1), strict=True
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


def spread_out(heights: list[float], gap: float, top: float) -> list[float]:
    """Heights of labels that do not overlap: raised to be at least `gap` apart, then lowered to at most `top`."""
    moved = list(heights)
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    for lower, upper in pairwise(order):
        moved[upper] = max(moved[upper], moved[lower] + gap)
    for place, index in enumerate(reversed(order)):
        moved[index] = min(moved[index], top - place * gap)
    return moved


def _quantity_axis(axes: Any, quantity: Quantity) -> None:
    """Ticks of the vertical axis at round values."""
    from matplotlib.ticker import NullLocator

    low, high = axes.get_ylim()
    ticks = round_values(low, high)
    axes.yaxis.set_minor_locator(NullLocator())  # its labels would be between ours
    axes.set_yticks(ticks, [quantity.label(tick) for tick in ticks])
    axes.set_ylim(low, high)


def _triangles_axis(axes: Any, counts: Iterable[int]) -> None:
    """Ticks of the horizontal axis at the triangle counts."""
    ordered = sorted(counts)
    axes.set_xticks(ordered, [count_label(count) for count in ordered])
    axes.xaxis.minorticks_off()
    axes.set_xlabel("triangles")
    _grid(axes)


def _seconds_axis(axes: Any) -> None:
    """Ticks of the horizontal axis at round seconds."""
    low, high = axes.get_xlim()
    ticks = round_values(low, high, MAX_SECONDS_TICKS)
    ticks = [tick for tick in ticks if low <= tick <= high] or ticks  # at an edge they touch those of the next panel
    axes.xaxis.minorticks_off()
    axes.set_xticks(ticks, [seconds_label(tick) for tick in ticks])
    axes.set_xlim(min(low, ticks[0]), max(high, ticks[-1]))
    axes.set_xlabel("seconds of a whole render")
    _grid(axes)


def _grid(axes: Any) -> None:
    """A faint grid, no box."""
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Any, axes: Any) -> None:
    """The legend of these axes above the figure."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False, fontsize=9)


def _colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each distinct name, in their order."""
    return {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(dict.fromkeys(names))}


def _save(figure: Any, stem: Path, note: str) -> list[Path]:
    """Write the figure with a note below it, as `stem` with each of SUFFIXES, and close it; returns the files."""
    figure.supxlabel(note, fontsize=7.5, color="#555555", x=0.01, ha="left")
    paths = [stem.with_suffix(suffix) for suffix in SUFFIXES]
    for path in paths:
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot().close(figure)
    return paths
