"""The interactive figures, as Vega-Lite specifications (vega.github.io/vega-lite).

Softmax takes the colour of the text, so that it is black on light and white on dark paper; the others are of a palette
that stands out on both. The parameter `shown` is the list of mechanisms that the reader has left switched on.
"""

from collections.abc import Sequence
from typing import Any

from rfcli.study.plots.axes import round_values
from rfcli.study.plots.cost import COLOURS
from rfcli.study.quality import QualityMean
from rfcli.study.results.tables import Row

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name, which nothing fetches
HEIGHT = 360
QUALITY_TICKS = 6  # on a phone's width
MARK: Spec = {"type": "point", "size": 70, "opacity": 1}
PALETTE = ("currentColor", *COLOURS[1:])

# What Vega calculates with d3's formats: 1,024 -> 1k, 0.001 s -> 1 ms.
COUNT = "datum.value % 1024 == 0 ? (datum.value / 1024) + 'k' : format(datum.value, ',')"
SECONDS = "datum.value < 1 ? format(datum.value * 1000, '~r') + ' ms' : format(datum.value, ',~r') + ' s'"
BYTES = "replace(format(datum.value, '.2~s'), /([kMGT]?)$/, ' $1B')"


def palette(names: Sequence[str]) -> dict[str, str]:
    """A colour for each mechanism, in CSS."""
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)}


def time_chart(rows: Sequence[Row], names: Sequence[str]) -> Spec:
    """Seconds over triangles, with 95 % intervals. names: of all mechanisms, which have one colour on all charts."""
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
    return growth_chart(values, names, "seconds", SECONDS)


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
    return growth_chart(values, names, "peak memory", BYTES)


def growth_chart(values: list[dict[str, Any]], names: Sequence[str], title: str, label: str) -> Spec:
    """Both axes logarithmic; what was not measured hollow and dashed, from the last point that was."""
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
        "axis": {"title": "triangles", "values": counts, "labelExpr": COUNT, "labelOverlap": True},
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
    layers = curves(values, {"tooltip": tooltip}, {}, beyond="datum.beyond")
    if any("low" in value for value in values):
        interval = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
        layers.insert(0, {"mark": {"type": "rule", "strokeWidth": 4, "opacity": 0.35}, "encoding": interval})
    return chart(values, names, layers, x, y)


def quality_chart(rows: Sequence[QualityMean], names: Sequence[str]) -> Spec:
    """PSNR against the truth over seconds of a whole render, of one series of scenes; marks grow with the triangles."""
    seconds, decibels = [row.seconds for row in rows], [row.truth["psnr"] for row in rows]
    counts, ticks = [row.triangles for row in rows], round_values(min(seconds), max(seconds), QUALITY_TICKS)
    values = [
        {
            "attention": row.attention,
            "triangles": row.triangles,
            "seconds": row.seconds,
            "psnr": row.truth["psnr"],
            "measured": row.trained,
            "how": row.model if row.trained else f"untrained swap of {row.model}",
            "beside": "" if row.softmax is None else f"{row.softmax['psnr']:.2f} dB",
        }
        for row in rows
    ]
    x = {
        "field": "seconds",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [min(seconds), max(seconds)], "nice": False, "padding": 14},
        "axis": {"title": "seconds of a whole render", "values": ticks, "labelExpr": SECONDS, "labelOverlap": True},
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
        {"field": "beside", "title": "against softmax"},
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
    layers = curves(values, {"tooltip": tooltip, "size": size}, order, beyond="!datum.measured")
    return chart(values, names, layers, x, y)


def curves(values: list[dict[str, Any]], marks: Spec, lines: Spec, beyond: str) -> list[Spec]:
    """Layers of lines and marks, solid and filled where `measured`, else dashed and hollow.

    marks, lines: their own encodings. beyond: which values a dashed line goes through.
    """
    solid, rest = [{"filter": "datum.measured"}], [{"filter": "!datum.measured"}]
    layers: list[Spec] = []
    if any(value["measured"] for value in values):
        layers.append({"transform": solid, "mark": {"type": "line", "strokeWidth": 2}, "encoding": lines})
        layers.append({"transform": solid, "mark": {**MARK, "filled": True}, "encoding": marks})
    if not all(value["measured"] for value in values):
        dashed = {"type": "line", "strokeWidth": 1.5, "strokeDash": [5, 4]}
        layers.append({"transform": [{"filter": beyond}], "mark": dashed, "encoding": lines})
        layers.append({"transform": rest, "mark": {**MARK, "filled": False}, "encoding": marks})
    return layers


def chart(values: list[dict[str, Any]], names: Sequence[str], layers: list[Spec], x: Spec, y: Spec) -> Spec:
    """What all charts have in common: as wide as the page, without a box, without a legend of its own. Scales are given
    their domains, so that they stay where they are when a mechanism is switched off."""
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
