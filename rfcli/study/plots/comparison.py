"""Two studies in one figure: their curves above each other, and the ratio of their seconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rfcli.pyplot import pyplot
from rfcli.study.plots.axes import count_label, seconds_label
from rfcli.study.plots.cost import colours, finished
from rfcli.study.results.comparison import Difference


def draw_comparison(folder: Path, differences: Sequence[Difference], names: tuple[str, str]) -> list[Path]:
    """Write compare.png and compare.svg into `folder`; returns their paths.

    names: of the two studies. A filled mark is a difference outside noise, a hollow one is within it.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter, ScalarFormatter

    figure, (overlay, ratios) = pyplot().subplots(1, 2, figsize=(10.2, 4.8), layout="constrained")
    attentions = list(dict.fromkeys(one.attention for one in differences))
    for name, colour in zip(attentions, colours(len(attentions)), strict=True):
        own = sorted((one for one in differences if one.attention == name), key=lambda one: one.triangles)
        counts, shift = [one.triangles for one in own], 1.04 ** attentions.index(name)  # bars must not cover bars
        overlay.plot(counts, [one.first for one in own], "--", color=colour, linewidth=1.2)
        overlay.plot(counts, [one.second for one in own], "-", color=colour, linewidth=1.6)
        ratios.plot(
            [count * shift for count in counts],
            [one.ratio for one in own],
            "-",
            color=colour,
            linewidth=1.2,
            label=name,
        )
        for one in own:
            face = colour if one.outside_noise else "white"
            place = one.triangles * shift
            ratios.plot([place] * 2, [one.low, one.high], color=colour, linewidth=3, alpha=0.35)
            ratios.plot(place, one.ratio, "o", markerfacecolor=face, markeredgecolor=colour, markersize=6)
    ratios.axhline(1.0, color="#555555", linewidth=0.8)
    counts = sorted({one.triangles for one in differences})
    for axes in (overlay, ratios):
        _dress(axes, counts)
    overlay.set_yscale("log")
    overlay.yaxis.set_major_formatter(FuncFormatter(lambda number, _: seconds_label(number)))
    overlay.yaxis.set_minor_formatter(NullFormatter())
    overlay.set_title(f"Seconds: {names[0]} (dashed), {names[1]} (solid)", loc="left", fontsize=10)
    ratios.yaxis.set_major_formatter(ScalarFormatter())
    ratios.set_title(f"{names[1]} / {names[0]}", loc="left", fontsize=10)
    handles, labels = ratios.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False, fontsize=9)
    note = "Bars: 95 % interval of the ratio of medians. Filled: outside noise. Hollow: within noise."
    return finished(figure, folder / "compare", note)


def _dress(axes: Any, counts: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(counts, [count_label(count) for count in counts])
    axes.xaxis.minorticks_off()
    axes.set_xlabel("triangles")
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
