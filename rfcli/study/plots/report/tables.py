"""The tables under the figures: every number of theirs, in HTML."""

from collections.abc import Sequence
from html import escape

from rfcli.study.plots.axes import three_digits
from rfcli.study.quality import QualityMean
from rfcli.study.results.tables import TERMS, Growth, Row


def table(caption: str, headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """An HTML table whose first column names its lines; it scrolls sideways, by keyboard too, where it is too wide."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    body = "".join(
        f'<tr><th scope="row">{escape(line[0])}</th>{"".join(f"<td>{escape(text)}</td>" for text in line[1:])}</tr>'
        for line in lines
    )
    return (
        f'<p class="caption">{escape(caption)}</p><div class="table" role="region" tabindex="0" '
        f'aria-label="{escape(caption)}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def time_table(rows: Sequence[Row]) -> str:
    """Seconds with intervals, by count and mechanism; what was not measured in brackets."""

    def cell(row: Row) -> str:
        if row.seconds is None:
            return "too little time"
        if not row.measured:
            return f"[{three_digits(row.seconds)}]"
        low, high = row.seconds_low or 0.0, row.seconds_high or 0.0
        return f"{three_digits(row.seconds)} ({three_digits(low)} to {three_digits(high)})"

    caption = "Seconds, median and 95 % interval; in brackets: extrapolated, not measured"
    return by_count(caption, rows, {(row.triangles, row.attention): cell(row) for row in rows})


def operation_table(rows: Sequence[Row]) -> str:
    """Seconds of the mechanism alone, and the share of the stage that no mechanism can save."""

    def cell(row: Row) -> str:
        if row.operation_seconds is None or row.floor_share is None:
            return "not measured"
        return f"{three_digits(row.operation_seconds)}, {100 * row.floor_share:.0f} %"

    caption = "Seconds of the attention operation alone, and the share of the stage that is not attention"
    return by_count(caption, rows, {(row.triangles, row.attention): cell(row) for row in rows})


def fits_table(fits: dict[str, Growth]) -> str:
    """What the growth of the stage's seconds comes down to."""
    lines = []
    for name, fit in fits.items():
        intervals = fit["seconds_intervals"]
        terms = (with_interval(fit["seconds"][term], *intervals[term]) for term in TERMS)
        lines.append([name, *terms, with_interval(fit["exponent"], fit["low"], fit["high"])])
    headings = ["attention", "a, seconds", "b", "c", "growth exponent of the largest"]
    return table("Seconds = a + b N + c N², fitted to all points, with 95 % intervals", headings, lines)


def with_interval(value: float, low: float, high: float) -> str:
    """Three numbers of which the second and third bound the first."""
    return f"{value:.3g} ({low:.3g} to {high:.3g})"


def memory_table(rows: Sequence[Row]) -> str:
    """Peak memory, and kB a triangle."""

    def cell(row: Row) -> str:
        if row.peak_bytes is None:
            return "not known"
        text = f"{row.peak_bytes / 1e6:,.4g} MB, {row.peak_bytes / row.triangles / 1e3:,.3g} kB each"
        return text if row.measured else f"[{text}]"

    caption = "Peak memory, and of each triangle; in brackets: extrapolated, not measured"
    return by_count(caption, rows, {(row.triangles, row.attention): cell(row) for row in rows})


def by_count(caption: str, rows: Sequence[Row], cells: dict[tuple[int, str], str]) -> str:
    """A line per triangle count, a column per mechanism."""
    names = list(dict.fromkeys(row.attention for row in rows))
    counts = sorted({row.triangles for row in rows})
    lines = [[f"{count:,}", *(cells.get((count, name), "") for name in names)] for count in counts]
    return table(caption, ["triangles", *names], lines)


def quality_table(caption: str, rows: Sequence[QualityMean]) -> str:
    """One line per mechanism and count: its seconds, and its scores against truth and softmax."""
    metrics = list(dict.fromkeys(name for row in rows for name in row.truth))
    titles = {"psnr": "PSNR, dB", "ssim": "SSIM", "flip": "HDR-FLIP", "lpips": "LPIPS"}
    headings = ["triangles", "attention", "model", "seconds"]
    headings += [f"{titles.get(name, name)} ({to})" for to in ("truth", "softmax") for name in metrics]
    lines = []
    for row in sorted(rows, key=lambda row: row.triangles):
        model = row.model if row.trained else f"{row.model}, untrained swap"
        scores = [number(scores, name) for scores in (row.truth, row.softmax) for name in metrics]
        lines.append([f"{row.triangles:,}", row.attention, model, three_digits(row.seconds), *scores])
    return table(caption, headings, lines)


def number(scores: dict[str, float] | None, name: str) -> str:
    """A score as people write it; softmax's own picture has none against itself."""
    if scores is None or name not in scores:
        return "–"
    if name == "psnr" and scores[name] >= 99:
        return "equal"
    return f"{scores[name]:.2f}" if name == "psnr" else f"{scores[name]:.3f}"
