"""The study's first figure: what a second of rendering buys, mechanism by mechanism."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rfcli.pyplot import pyplot
from rfcli.study.plots.axes import count_label, round_values, seconds_label
from rfcli.study.plots.cost import colours, finished
from rfcli.study.quality import QualityMean, QualityRow, means, scenes_label

TITLES = {
    "tessellated": "the same scenes, tessellated ever finer",
    "detailed": "other scenes at each count, of ever more detail",
}

MOST_TICKS = 6  # of a panel


def draw_quality(folder: Path, rows: Sequence[QualityRow], names: Sequence[str], machine: str) -> list[Path]:
    """Write quality.png and quality.svg, PSNR against the truth over seconds of a whole render; returns their paths.

    One panel per series of scenes; along a curve the triangles grow, from its small mark to its largest.
    names: of all mechanisms, which have one colour in all figures. machine: where it was measured, for the line below
    the figure.
    """
    if not rows:
        return []

    drawings = means(rows)
    scenes = list(dict.fromkeys(row.scene for row in drawings))
    figure, panels = pyplot().subplots(
        1, len(scenes), figsize=(max(6.4, 1 + 4.6 * len(scenes)), 4.8), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, scene in zip(panels[0], scenes, strict=True):
        axes.set_xscale("log")
        for name, colour in zip(names, colours(len(names)), strict=True):
            curve(axes, [row for row in drawings if (row.scene, row.attention) == (scene, name)], colour)
        dress(axes, TITLES.get(scene, scene))
    panels[0][0].set_ylabel("PSNR against path-traced truth, dB")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False, fontsize=9)
    counts = [row.triangles for row in drawings]
    smallest, largest = min(counts), max(counts)
    notes = [machine, f"Each mark: {scenes_label(drawings)}."]
    if smallest < largest:
        notes.append(f"Marks grow with the triangles, {count_label(smallest)} to {count_label(largest)}.")
    if any(not row.trained for row in rows):
        notes.append("Dashed: an untrained swap, the softmax model's weights with another mechanism.")
    return finished(figure, folder / "quality", "\n".join(notes))


def curve(axes: Any, rows: Sequence[QualityMean], colour: str) -> None:
    """One mechanism's pictures of one series, in the order of their triangles."""
    if not rows:
        return
    rows = sorted(rows, key=lambda row: row.triangles)
    seconds, decibels = [row.seconds for row in rows], [row.truth["psnr"] for row in rows]
    untrained = not rows[0].trained
    style, label = ("--", f"{rows[0].attention} (untrained)") if untrained else ("-", rows[0].attention)
    axes.plot(seconds, decibels, style, color=colour, linewidth=1.4, marker="o", markersize=0.1, label=label)
    sizes = [14 * (1 + step) for step in range(len(rows))]
    axes.scatter(seconds, decibels, s=sizes, color=colour, facecolor="white" if untrained else colour, zorder=3)


def dress(axes: Any, title: str) -> None:
    """Round seconds below, a faint grid, no box."""
    from matplotlib.ticker import NullLocator

    low, high = axes.get_xlim()
    ticks = round_values(low, high, MOST_TICKS)
    ticks = [tick for tick in ticks if low <= tick <= high] or ticks  # at an edge they touch the next panel's
    axes.xaxis.set_minor_locator(NullLocator())  # its labels would crowd between ours
    axes.set_xticks(ticks, [seconds_label(tick) for tick in ticks])
    axes.set_xlim(min(low, ticks[0]), max(high, ticks[-1]))
    axes.set_xlabel("seconds of a whole render")
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
