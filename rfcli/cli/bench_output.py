"""Output of `rf bench`: a plot that is updated during the measurement, and tables and sentences of the results."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.table import Table

from rfcli.cli.console import Console
from rfcli.cli.terminal_plot import terminal_plot
from rfcli.study import ProgressCallbacks, Results, Row
from rfcli.study.results import Difference, Measurement, QualityMean, scene_means
from rfcli.study.results.quality import scenes_label
from rfcli.study.results.tables import seconds_cell

MAX_WIDTH, HEIGHT = 78, 17  # characters of the plot


@contextmanager
def live_progress(console: Console, counts: Sequence[int]) -> Iterator[ProgressCallbacks]:
    """Shows progress and each new point of the stage: as curves in a terminal, else as a line per count."""
    printed: set[int] = set()
    with console.progress("bench", total=None, unit="") as progress:

        def show_points(points: Sequence[Measurement]) -> None:
            if not points:
                return
            if progress.drawn:
                curves: dict[str, list[tuple[float, float]]] = {}
                for point in sorted(points, key=lambda point: point.triangles):
                    curves.setdefault(point.attention, []).append((point.triangles, point.median_seconds))
                progress.above(terminal_plot(curves, counts, min(MAX_WIDTH, progress.width), HEIGHT))
                return
            for count in sorted({point.triangles for point in points} - printed):
                printed.add(count)
                seconds = [f"{one.attention} {one.median_seconds:.3g} s" for one in points if one.triangles == count]
                console.print(f"{count:,} triangles: {', '.join(seconds)}")

        yield ProgressCallbacks(progress.show, show_points)


def seconds_tables(results: Results) -> list[Table]:
    """Seconds of the stage and of whole renders, by triangle count and mechanism."""
    stage = _seconds_table("stage", results.rows)
    names = list(dict.fromkeys(row.attention for row in results.rows))
    exponents = [results.fits.get(name) for name in names]
    stage.add_row("grows as N^", *("" if fit is None else f"{fit['exponent']:.2f}" for fit in exponents))
    known = any(row.seconds is not None for row in results.renders)
    return [stage, _seconds_table("whole render", results.renders)] if known else [stage]


def quality_tables(results: Results) -> list[Table]:
    """PSNR against the truth and against softmax, by triangle count and mechanism; a table for each series."""
    tables, means = [], scene_means(results.quality)
    names = list(dict.fromkeys(row.attention for row in means))
    untrained = {row.attention for row in means if not row.trained}
    for scene in dict.fromkeys(row.scene for row in means):
        rows = [row for row in means if row.scene == scene]
        title = f"{scene}, {scenes_label(rows)}: PSNR against truth / against softmax, dB"
        headings = [f"{name} (untrained)" if name in untrained else name for name in names]
        table = _table(title, ["triangles", *headings])
        for count in sorted({row.triangles for row in rows}):
            cells = {row.attention: _psnr_cell(row) for row in rows if row.triangles == count}
            table.add_row(f"{count:,}", *(cells.get(name, "too little time") for name in names))
        tables.append(table)
    return tables


def differences_table(differences: Sequence[Difference], names: tuple[str, str]) -> Table:
    """Seconds of two studies and their ratio."""
    headings = ["attention", "triangles", "first", "second", "ratio (95 % interval)", "difference"]
    table = _table(f"seconds: {names[0]} and {names[1]}", headings)
    table.columns[0].justify = "left"
    for one in differences:
        ratio = f"{one.ratio:.3f} ({one.low:.3f}-{one.high:.3f})"
        verdict = "outside noise" if one.outside_noise else "within noise"
        table.add_row(one.attention, f"{one.triangles:,}", f"{one.first:.3g}", f"{one.second:.3g}", ratio, verdict)
    return table


def crossing_sentences(results: Results) -> list[str]:
    """Sentences with the triangle count from which one mechanism is faster than another."""
    sentences = []
    for pair, count in results.crossings.items():
        if count is not None:
            first, second = pair.split("<")
            low, high = results.crossing_intervals.get(pair) or (count, count)
            sentences.append(f"{first} is faster than {second} from {count:,} triangles ({low:,}-{high:,})")
    return sentences


def _seconds_table(title: str, rows: Sequence[Row]) -> Table:
    """Seconds with intervals; extrapolated ones in brackets."""
    headings = ["triangles", *dict.fromkeys(row.attention for row in rows)]
    table = _table(f"seconds of the {title} (95 % interval), [extrapolated]", headings)
    for count in sorted({row.triangles for row in rows}):
        table.add_row(f"{count:,}", *(seconds_cell(row, "-") for row in rows if row.triangles == count))
    return table


def _psnr_cell(row: QualityMean) -> str:
    against_softmax = "" if row.softmax is None else f" / {row.softmax['psnr']:.1f}"
    return f"{row.truth['psnr']:.1f}{against_softmax}"


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
