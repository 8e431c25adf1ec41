"""The HTML tables below the charts, with all their numbers."""

from collections.abc import Callable, Sequence
from html import escape

from rfcli.study.results.fits import TERMS, Growth
from rfcli.study.results.quality import QualityMean
from rfcli.study.results.tables import Row, seconds_cell, three_digits

SCORE_TITLES = {"psnr": "PSNR, dB", "ssim": "SSIM", "flip": "HDR-FLIP", "lpips": "LPIPS"}
EQUAL_PSNR = 99.0  # decibels: from here on two pictures are equal


def time_table(rows: Sequence[Row]) -> str:
    """Seconds with their intervals; extrapolated ones in brackets."""
    caption = "Seconds, median and 95 % interval; in brackets: extrapolated, not measured"
    return _table_by_count(caption, rows, lambda row: seconds_cell(row, " to "))


def operation_table(rows: Sequence[Row]) -> str:
    """Seconds of the mechanism alone, and the share of the stage that is not the mechanism."""

    def cell(row: Row) -> str:
        if row.operation_seconds is None or row.floor_share is None:
            return "not measured"
        return f"{three_digits(row.operation_seconds)}, {100 * row.floor_share:.0f} %"

    caption = "Seconds of the attention operation alone, and the share of the stage outside it"
    return _table_by_count(caption, rows, cell)


def memory_table(rows: Sequence[Row]) -> str:
    """Peak memory, and kB per triangle."""

    def cell(row: Row) -> str:
        if row.peak_bytes is None:
            return "unknown"
        text = f"{row.peak_bytes / 1e6:,.4g} MB, {row.peak_bytes / row.triangles / 1e3:,.3g} kB each"
        return text if row.measured else f"[{text}]"

    caption = "Peak memory, in all and per triangle; in brackets: extrapolated, not measured"
    return _table_by_count(caption, rows, cell)


def fits_table(fits: dict[str, Growth]) -> str:
    """The fitted growth of the stage's seconds."""
    lines = []
    for name, fit in fits.items():
        intervals = fit["seconds_intervals"]
        terms = (_with_interval(fit["seconds"][term], *intervals[term]) for term in TERMS)
        lines.append([name, *terms, _with_interval(fit["exponent"], fit["low"], fit["high"])])
    headings = ["attention", "a, seconds", "b", "c", "growth exponent at the largest counts"]
    return _table("Seconds = a + b N + c N², fitted to all points, with 95 % intervals", headings, lines)


def quality_table(caption: str, rows: Sequence[QualityMean]) -> str:
    """A line per mechanism and count: seconds, and scores against truth and softmax."""
    metrics = list(dict.fromkeys(name for row in rows for name in row.truth))
    headings = ["triangles", "attention", "model", "seconds"]
    headings += [f"{SCORE_TITLES.get(name, name)} ({to})" for to in ("truth", "softmax") for name in metrics]
    lines = []
    for row in sorted(rows, key=lambda row: row.triangles):
        model = row.model if row.trained else f"{row.model}, untrained swap"
        scores = [_score(scores, name) for scores in (row.truth, row.softmax) for name in metrics]
        lines.append([f"{row.triangles:,}", row.attention, model, three_digits(row.seconds), *scores])
    return _table(caption, headings, lines)


def _score(scores: dict[str, float] | None, name: str) -> str:
    if scores is None or name not in scores:
        return "–"
    if name == "psnr":
        return "equal" if scores[name] >= EQUAL_PSNR else f"{scores[name]:.2f}"
    return f"{scores[name]:.3f}"


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{value:.3g} ({low:.3g} to {high:.3g})"


def _table_by_count(caption: str, rows: Sequence[Row], cell: Callable[[Row], str]) -> str:
    """A line per triangle count, a column per mechanism."""
    cells = {(row.triangles, row.attention): cell(row) for row in rows}
    names = list(dict.fromkeys(row.attention for row in rows))
    counts = sorted({row.triangles for row in rows})
    lines = [[f"{count:,}", *(cells.get((count, name), "") for name in names)] for count in counts]
    return _table(caption, ["triangles", *names], lines)


def _table(caption: str, headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """An HTML table with row headings in the first column; a wide one scrolls sideways, by keyboard too."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    body = "".join(
        f'<tr><th scope="row">{escape(line[0])}</th>{"".join(f"<td>{escape(text)}</td>" for text in line[1:])}</tr>'
        for line in lines
    )
    return (
        f'<p class="caption">{escape(caption)}</p><div class="table" role="region" tabindex="0" '
        f'aria-label="{escape(caption)}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
