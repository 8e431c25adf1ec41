"""The distribution of a dataset as histograms, the published one as a line over each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rfcli.atomic import replacing
from rfcli.dataset.statistics import QUANTITIES, Floats, Quantity

COLUMNS = 3
BINS = 24
PUBLISHED = "#d55e00"


def draw_statistics(path: Path, values: Mapping[str, Floats], title: str) -> None:
    """Write the figure, a PNG, whole or not at all."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    rows = -(-len(QUANTITIES) // COLUMNS)
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(9.6, 2.4 * rows), layout="constrained")
    for quantity, panel in zip(QUANTITIES, axes.flat, strict=False):
        histogram(panel, quantity, values[quantity.name])
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.supxlabel(
        "Line: the published distribution, where it is known.", fontsize=8, color=PUBLISHED, x=0.01, ha="left"
    )
    with replacing(path) as beside:
        figure.savefig(beside, dpi=150)
    pyplot.close(figure)


def histogram(panel: Any, quantity: Quantity, values: Floats) -> None:
    """Shares of the values in equal bins (of the logarithm where the published law is log-uniform)."""
    low, high = values.min(), values.max()
    if quantity.published:
        low, high = min(low, quantity.published[0]), max(high, quantity.published[1])
    logarithmic = quantity.published is not None and quantity.published[2] == "log-uniform"
    edges = np.geomspace(low, high, BINS + 1) if logarithmic else np.linspace(low, high, BINS + 1)
    if high == low:
        edges = np.linspace(low - 0.5, high + 0.5, BINS + 1)
    panel.hist(values, edges, weights=np.full(len(values), 1 / len(values)), color="#9ecae1")
    if quantity.published:
        panel.stairs(published_shares(quantity, edges), edges, color=PUBLISHED)
    if logarithmic:
        panel.set_xscale("log")
    panel.set_title(quantity.name, fontsize=9, loc="left")
    panel.set_yticks([])
    panel.tick_params(labelsize=7)


def published_shares(quantity: Quantity, edges: Floats) -> Floats:
    """What share of the published distribution lies between each two edges."""
    assert quantity.published is not None
    low, high, law = quantity.published
    scale = np.log if law == "log-uniform" else np.asarray
    inside = np.clip(edges, low, high)
    shares: Floats = np.diff(scale(inside)) / (scale(np.array(high)) - scale(np.array(low)))
    return shares
