"""The distribution of a dataset as histograms, the published one as a line over each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rfcli.dataset.statistics import QUANTITIES, Floats, Quantity
from rfcli.pyplot import pyplot
from rfcli.runtime.files import replacing

COLUMNS = 3
BINS = 24
PUBLISHED = "#d55e00"


def draw_statistics(path: Path, values: Mapping[str, Floats], title: str) -> None:
    """Write the figure, a PNG, whole or not at all."""

    rows = -(-len(QUANTITIES) // COLUMNS)
    figure, axes = pyplot().subplots(rows, COLUMNS, figsize=(9.6, 2.4 * rows), layout="constrained")
    for quantity, panel in zip(QUANTITIES, axes.flat, strict=False):
        histogram(panel, quantity, values[quantity.name])
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.supxlabel(
        "Line: the published distribution, where it is known.", fontsize=8, color=PUBLISHED, x=0.01, ha="left"
    )
    with replacing(path) as beside:
        figure.savefig(beside, dpi=150)
    pyplot().close(figure)


def histogram(panel: Any, quantity: Quantity, values: Floats) -> None:
    """Shares of the values in bins that the published law would fill evenly."""
    edges = bins(quantity, values)
    panel.hist(values, edges, weights=np.full(len(values), 1 / len(values)), color="#9ecae1")
    if quantity.published:
        panel.stairs(published_shares(quantity, edges), edges, color=PUBLISHED)
    if quantity.published and quantity.published[2] == "log-uniform":
        panel.set_xscale("log")
        ticks = np.geomspace(edges[0], edges[-1], 4)
        panel.set_xticks(ticks, [f"{tick:.4g}" for tick in ticks])
        panel.minorticks_off()
    panel.set_title(quantity.name, fontsize=9, loc="left")
    panel.set_yticks([])
    panel.tick_params(labelsize=7)


def bins(quantity: Quantity, values: Floats) -> Floats:
    """Edges of bins that hold all values and the published range."""
    low, high = float(values.min()), float(values.max())
    law = None
    if quantity.published:
        low, high, law = min(low, quantity.published[0]), max(high, quantity.published[1]), quantity.published[2]
    if law == "whole numbers" or low == high:
        return np.arange(low - 0.5, high + 1.0)
    return np.geomspace(low, high, BINS + 1) if law == "log-uniform" else np.linspace(low, high, BINS + 1)


def published_shares(quantity: Quantity, edges: Floats) -> Floats:
    """What share of the published distribution lies between each two edges."""
    assert quantity.published is not None
    low, high, law = quantity.published
    if law == "whole numbers":
        low, high = low - 0.5, high + 0.5
    scale = np.log if law == "log-uniform" else np.asarray
    shares: Floats = np.diff(scale(np.clip(edges, low, high))) / np.diff(scale(np.array([low, high])))
    return shares
