"""The interactive charts of the report as Vega-Lite specifications (vega.github.io/vega-lite).

Softmax has the colour of the text, black on a light and white on a dark page; the colours of the others are legible on
both. The parameter `shown` is the list of mechanisms that the reader has switched on.
"""

from collections.abc import Sequence
from typing import Any

from rfcli.study.plots.axes import COLOURS, round_values
from rfcli.study.results.quality import QualityMean
from rfcli.study.results.tables import Row

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # an identifier, which is not fetched
HEIGHT = 360
MAX_SECONDS_TICKS = 6  # as many as fit on a phone
MARK: Spec = {"type": "point", "size": 70, "opacity": 1}
PALETTE = ("currentColor", *COLOURS[1:])

# The labels of `rfcli.study.plots.axes` as Vega expressions.
COUNT_LABEL = "datum.value % 1024 == 0 ? (datum.value / 1024) + 'k' : format(datum.value, ',')"
SECONDS_LABEL = "datum.value < 1 ? format(datum.value * 1000, '~r') + ' ms' : format(datum.value, ',~r') + ' s'"
BYTES_LABEL = "replace(format(datum.value, '.2~s'), /([kMGT]?)$/, ' $1B')"


def palette(names: Sequence[str]) -> dict[str, str]:
    """A CSS colour for each mechanism."""
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)}


def time_chart(rows: Sequence[Row], names: Sequence[str]) -> Spec:
    """Seconds over triangles, with 95 % intervals. names: all mechanisms, for the same colours in all charts."""
    values = [
        {
            "attention": row.attention,
            "triangles": row.triangles,
            "value": row.seconds,
            "low": row.seconds_low,
            "high": row.seconds_high,
            "measured": row.measured,
            "reading": f"{row.seconds:.4g} s ({row.seconds_low:.4g} to {row.seconds_high:.4g})",
        }
        for row in rows
        if row.seconds is not None
    ]
    return _growth_chart(values, names, "seconds", SECONDS_LABEL)


def memory_chart(rows: Sequence[Row], names: Sequence[str]) -> Spec:
    """Peak memory over triangles."""
    values = [
        {
            "attention": row.attention,
            "triangles": row.triangles,
            "value": row.peak_bytes,
            "measured": row.measured,
            "reading": f"{row.peak_bytes / 1e6:,.4g} MB, {row.peak_bytes / row.triangles / 1e3:,.3g} kB a triangle",
        }
        for row in rows
        if row.peak_bytes
    ]
    return _growth_chart(values, names, "peak memory", BYTES_LABEL)


def quality_chart(rows: Sequence[QualityMean], names: Sequence[str]) -> Spec:
    """PSNR against the truth over seconds of a whole render, of one series; marks grow with the triangles."""
    seconds, decibels = [row.seconds for row in rows], [row.truth["psnr"] for row in rows]
    counts, ticks = [row.triangles for row in rows], round_values(min(seconds), max(seconds), MAX_SECONDS_TICKS)
    values = [
        {
            "attention": row.attention,
            "triangles": row.triangles,
            "seconds": row.seconds,
            "psnr": row.truth["psnr"],
            "measured": row.trained,
            "how": row.model if row.trained else f"untrained swap of {row.model}",
            "softmax": "" if row.softmax is None else f"{row.softmax['psnr']:.2f} dB",
        }
        for row in rows
    ]
    x = {
        "field": "seconds",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [min(seconds), max(seconds)], "nice": False, "padding": 14},
        "axis": {
            "title": "seconds of a whole render",
            "values": ticks,
            "labelExpr": SECONDS_LABEL,
            "labelOverlap": True,
        },
    }
    y = {
        "field": "psnr",
        "type": "quantitative",
        "scale": {"domain": [min(decibels), max(decibels)], "zero": False, "nice": False, "padding": 20},
        "axis": {"title": "PSNR against truth, dB", "tickCount": 6},
    }
    tooltip = [
        {"field": "attention", "title": "attention"},
        {"field": "triangles", "format": ",", "title": "triangles"},
        {"field": "psnr", "format": ".2f", "title": "PSNR against truth, dB"},
        {"field": "softmax", "title": "against softmax"},
        {"field": "seconds", "format": ".3~r", "title": "seconds"},
        {"field": "how", "title": "model"},
    ]
    size = {
        "field": "triangles",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [min(counts), max(counts)], "range": [40, 260]},
        "legend": None,
    }
    order = {"order": {"field": "triangles"}}
    layers = _curves(values, {"tooltip": tooltip, "size": size}, order, dashed="!datum.measured")
    return _chart(values, names, layers, x, y)


def _growth_chart(values: list[dict[str, Any]], names: Sequence[str], title: str, label: str) -> Spec:
    """Logarithmic axes; extrapolated values are hollow and dashed, from the last measured value on."""
    counts = sorted({value["triangles"] for value in values})
    ends = [value[end] for value in values for end in ("low", "value", "high") if value.get(end)]
    ticks = round_values(min(ends), max(ends))
    last: dict[str, int] = {}
    for value in values:
        if value["measured"]:
            last[value["attention"]] = max(value["triangles"], last.get(value["attention"], 0))
    x = {
        "field": "triangles",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "domain": [counts[0], counts[-1]], "nice": False, "padding": 14},
        "axis": {"title": "triangles", "values": counts, "labelExpr": COUNT_LABEL, "labelOverlap": True},
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [min(ends), max(ends)], "nice": False, "padding": 14},
        "axis": {"title": title, "values": ticks, "labelExpr": label, "labelOverlap": True},
    }
    for value in values:
        value["beyond"] = value["triangles"] >= last.get(value["attention"], 0)
        value["how"] = "measured" if value["measured"] else "extrapolated"
    tooltip = [
        {"field": "attention", "title": "attention"},
        {"field": "triangles", "format": ",", "title": "triangles"},
        {"field": "reading", "title": title},
        {"field": "how", "title": "how"},
    ]
    layers = _curves(values, {"tooltip": tooltip}, {}, dashed="datum.beyond")
    if any("low" in value for value in values):
        interval = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
        layers.insert(0, {"mark": {"type": "rule", "strokeWidth": 4, "opacity": 0.35}, "encoding": interval})
    return _chart(values, names, layers, x, y)


def _curves(values: list[dict[str, Any]], marks: Spec, lines: Spec, dashed: str) -> list[Spec]:
    """Layers of lines and marks: solid and filled for `measured` values, else dashed and hollow.

    marks, lines: encodings of their own. dashed: filter of the values that a dashed line connects.
    """
    measured, rest = [{"filter": "datum.measured"}], [{"filter": "!datum.measured"}]
    layers: list[Spec] = []
    if any(value["measured"] for value in values):
        layers.append({"transform": measured, "mark": {"type": "line", "strokeWidth": 2}, "encoding": lines})
        layers.append({"transform": measured, "mark": {**MARK, "filled": True}, "encoding": marks})
    if not all(value["measured"] for value in values):
        line = {"type": "line", "strokeWidth": 1.5, "strokeDash": [5, 4]}
        layers.append({"transform": [{"filter": dashed}], "mark": line, "encoding": lines})
        layers.append({"transform": rest, "mark": {**MARK, "filled": False}, "encoding": marks})
    return layers


def _chart(values: list[dict[str, Any]], names: Sequence[str], layers: list[Spec], x: Spec, y: Spec) -> Spec:
    """The parts common to all charts: as wide as the page, without a box or a legend.

    Scales have explicit domains, so that they do not change when a mechanism is switched off.
    """
    axes = {"labelColor": "currentColor", "titleColor": "currentColor", "gridColor": "currentColor"}
    colours = palette(names)
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": HEIGHT,
        "background": "transparent",
        "autosize": {"type": "fit", "contains": "padding"},
        "params": [{"name": "shown", "value": list(names)}],
        "data": {"values": values},
        "transform": [{"filter": "indexof(shown, datum.attention) >= 0"}],
        "encoding": {
            "x": x,
            "y": y,
            "color": {
                "field": "attention",
                "type": "nominal",
                "scale": {"domain": list(colours), "range": list(colours.values())},
                "legend": None,
            },
        },
        "layer": layers,
        "config": {
            "view": {"stroke": None},
            "axis": {**axes, "gridOpacity": 0.15, "tickColor": "currentColor", "domainColor": "currentColor"},
            "font": "system-ui, sans-serif",
        },
    }
