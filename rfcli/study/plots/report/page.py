"""The report page: findings in words, then charts with their tables, in one self-contained HTML file."""

import base64
import io
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from PIL import Image

from rfcli.attention import SOFTMAX
from rfcli.runtime.files import replacing
from rfcli.study.plots.figures import SERIES_TITLES
from rfcli.study.plots.report.charts import Spec, memory_chart, palette, quality_chart, time_chart
from rfcli.study.plots.report.tables import fits_table, memory_table, operation_table, quality_table, time_table
from rfcli.study.results.files import Results
from rfcli.study.results.quality import scene_means, scenes_label
from rfcli.study.results.tables import speedup_sentences

# Nothing may be fetched. Vega compiles its expressions, which needs unsafe-eval.
POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:"
JPEG_QUALITY = 88


def write_report(path: Path, results: Results, titles: tuple[str, str], machine: str, grid: Path | None) -> Path:
    """Write the page.

    Args:
        path: The HTML file.
        results: The results of a study.
        titles: Descriptions of the runs, of the stage and of whole renders.
        machine: Description of the machine.
        grid: The contact sheet, if there is one.

    Returns:
        The file.
    """
    import vl_convert

    sections = [*quality_sections(results, grid), *cost_sections(results, titles)]
    page = PAGE.format(
        policy=POLICY,
        style=_resource("page.css"),
        findings="".join(f"<li>{escape(sentence)}</li>" for sentence in findings(results)),
        machine=escape(machine),
        boxes=checkboxes(results.names()),
        sections="\n".join(sections),
        # "</script" inside the library's strings would end it
        library=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", r"<\/script"),
        script=_resource("page.js"),
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")  # names of scenes may not be text
    return path


def findings(results: Results) -> list[str]:
    """The most important results, as sentences."""
    sentences = [
        f"{sentence[0].upper()}{sentence[1:]}." for sentence in speedup_sentences(results.rows, results.renders)
    ]
    for name, fit in results.fits.items():
        sentences.append(
            f"{name}: time grows as N to the power {fit['exponent']:.2f} ({fit['low']:.2f} to {fit['high']:.2f}) "
            f"from {fit['from']:,} to {fit['to']:,} triangles."
        )
    for pair, count in results.crossings.items():
        first, second = pair.split("<")
        if count is not None and second == SOFTMAX:
            low, high = results.crossing_intervals.get(pair) or (count, count)
            sentences.append(f"{first} takes less time than softmax from {count:,} triangles ({low:,} to {high:,}).")
    return sentences


def quality_sections(results: Results, grid: Path | None) -> list[str]:
    """A chart for each series of scenes, and the contact sheet."""
    sections, means = [], scene_means(results.quality)
    for number, scene in enumerate(dict.fromkeys(row.scene for row in means)):
        rows = [row for row in means if row.scene == scene]
        title = f"Quality against seconds: {SERIES_TITLES.get(scene, scene)}"
        note = (
            "Along a curve the triangle count grows, and so do the marks. "
            "Dashed and hollow: an untrained swap, the softmax model's weights with another mechanism."
        )
        caption = f"{scene}, {scenes_label(rows)}: pictures against path-traced truth and against softmax's"
        chart, table = quality_chart(rows, results.names()), quality_table(caption, rows)
        sections.append(_section(title, note, f"quality-{number}", chart, table))
    if grid is not None:
        sections.append(
            '<section><h2>The pictures</h2><figure><img alt="Contact sheet: truth and mechanisms side by side, '
            f'HDR-FLIP maps below" src="{_data_url(grid)}"><figcaption>Below each picture is its HDR-FLIP error '
            "against the truth: black is equal, yellow is largest.</figcaption></figure></section>"
        )
    return sections


def cost_sections(results: Results, titles: tuple[str, str]) -> list[str]:
    """Charts of the time of whole renders, and of time and memory of the stage."""
    hollow = "Dashed and hollow: extrapolated, not measured."
    note = f"Of the {titles[0]}. {hollow}"
    sections, names = [], results.names()
    if any(row.seconds for row in results.renders):
        render_note = f"Of a {titles[1]}. {hollow}"
        chart, table = time_chart(results.renders, names), time_table(results.renders)
        sections.append(_section("Time of a whole render", render_note, "render", chart, table))
    table = time_table(results.rows) + operation_table(results.rows) + fits_table(results.fits)
    sections.append(_section("Time of the stage", note, "time", time_chart(results.rows, names), table))
    if any(row.peak_bytes for row in results.rows):
        chart, table = memory_chart(results.rows, names), memory_table(results.rows)
        sections.append(_section("Memory of the stage", note, "memory", chart, table))
    return sections


def checkboxes(names: Sequence[str]) -> str:
    """A checkbox for each mechanism, with its colour."""
    return "".join(
        f'<label><input type="checkbox" checked data-attention="{escape(name)}"><i style="color:{colour}"></i>'
        f"{escape(name)}</label>"
        for name, colour in palette(names).items()
    )


def _section(title: str, note: str, name: str, spec: Spec, table: str) -> str:
    """A chart and its table. Screen readers are directed to the table, which has the numbers of the chart."""
    content = json.dumps(spec, allow_nan=False).replace("<", r"\u003c")
    return (
        f'<section><h2>{escape(title)}</h2><figure><div class="chart" data-spec="spec-{name}" role="group" '
        f'aria-label="{escape(title)}; the table below has its numbers"></div><figcaption>{escape(note)}</figcaption>'
        f'</figure><script type="application/json" id="spec-{name}">{content}</script>{table}</section>'
    )


def _data_url(picture: Path) -> str:
    """A picture as a data URL, as JPEG: a quarter of the PNG's bytes."""
    content = io.BytesIO()
    Image.open(picture).convert("RGB").save(content, "jpeg", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def _resource(name: str) -> str:
    return (files("rfcli.study.plots.report") / name).read_text(encoding="utf-8")


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<link rel="icon" href="data:,">
<title>The cost of attention against triangle count</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>The cost of attention against triangle count</h1>
<p class="quiet">{machine}</p>
<ul>{findings}</ul>
<fieldset><legend>Mechanisms shown in the figures</legend>{boxes}</fieldset>
<noscript><p>The figures need JavaScript; the tables have all their numbers.</p></noscript>
</header>
<main>
{sections}
</main>
<script type="module">
{library}
{script}</script>
</body>
</html>
"""
