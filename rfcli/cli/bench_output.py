"""What `rf bench` prints of a study: tables of seconds and of quality, and sentences.

What a reader sees of a study while it runs: the figure as it grows, and the time left.

What `rf bench` does with studies that are over: draw one anew, set two beside each other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from rfcli.cli.console import Console
from rfcli.cli.receipts import study_entries
from rfcli.cli.terminal_plot import terminal_plot
from rfcli.study.plots.axes import three_digits

if TYPE_CHECKING:
    from rfcli.study import Results, Row, Watch
    from rfcli.study.quality import QualityMean
    from rfcli.study.results.measurement import Measurement


def seconds_tables(results: "Results") -> list[Table]:
    """Seconds of the stage and of whole renders, by triangle count and mechanism."""
    stage = seconds_table("stage", results.rows)
    names = list(dict.fromkeys(row.attention for row in results.rows))
    exponents = [results.fits.get(name) for name in names]
    stage.add_row("grows as N^", *("" if fit is None else f"{fit['exponent']:.2f}" for fit in exponents))
    known = any(row.seconds is not None for row in results.renders)
    return [stage, seconds_table("whole render", results.renders)] if known else [stage]


def seconds_table(what: str, rows: "Sequence[Row]") -> Table:
    """With intervals; what was not measured in brackets."""
    table = Table(title=f"seconds of the {what} (95 % interval), [extrapolated]", title_justify="left", box=None)
    for heading in ("triangles", *dict.fromkeys(row.attention for row in rows)):
        table.add_column(heading, justify="right")
    for count in sorted({row.triangles for row in rows}):
        table.add_row(f"{count:,}", *(_seconds(row) for row in rows if row.triangles == count))
    return table


def _seconds(row: "Row") -> str:
    if row.seconds is None:
        return "too little time"
    if not row.measured:
        return f"[{three_digits(row.seconds)}]"
    low, high = row.seconds_low or 0.0, row.seconds_high or 0.0
    return f"{three_digits(row.seconds)} ({three_digits(low)}-{three_digits(high)})"


def quality_tables(results: "Results") -> list[Table]:
    """For each series of scenes, PSNR against the truth by triangle count and mechanism, and against softmax."""
    from rfcli.study.quality import means, scenes_label

    tables, drawings = [], means(results.quality)
    names = list(dict.fromkeys(row.attention for row in drawings))
    untrained = {row.attention for row in drawings if not row.trained}
    for scene in dict.fromkeys(row.scene for row in drawings):
        rows = [row for row in drawings if row.scene == scene]
        title = f"{scene}, {scenes_label(rows)}: PSNR against truth / against softmax, dB"
        table = Table(title=title, title_justify="left", box=None)
        table.add_column("triangles", justify="right")
        for name in names:
            table.add_column(f"{name} (untrained)" if name in untrained else name, justify="right")
        for count in sorted({row.triangles for row in rows}):
            drawn = {row.attention: _decibels(row) for row in rows if row.triangles == count}
            table.add_row(f"{count:,}", *(drawn.get(name, "too little time") for name in names))
        tables.append(table)
    return tables


def _decibels(row: "QualityMean") -> str:
    beside = "" if row.softmax is None else f" / {row.softmax['psnr']:.1f}"
    return f"{row.truth['psnr']:.1f}{beside}"


def crossing_sentences(results: "Results") -> list[str]:
    """From where on which mechanism is faster than which."""
    sentences = []
    for pair, count in results.crossings.items():
        if count is not None:
            first, second = pair.split("<")
            low, high = results.crossing_intervals.get(pair) or (count, count)
            sentences.append(f"{first} is faster than {second} from {count:,} triangles ({low:,}-{high:,})")
    return sentences


WIDTH, HEIGHT = 78, 17  # characters of the plot, at most


@contextmanager
def live(console: Console, counts: Sequence[int]) -> "Iterator[Watch]":
    """Shows points of the stage as they come: in a terminal as curves above the bar, elsewhere as a line per count."""
    from rfcli.study import Watch

    told: set[int] = set()
    with console.progress("bench", total=None, unit="") as progress:

        def show(points: "Sequence[Measurement]") -> None:
            if not points:
                return
            if progress.drawn:
                curves: dict[str, list[tuple[float, float]]] = {}
                for point in sorted(points, key=lambda point: point.triangles):
                    curves.setdefault(point.attention, []).append((point.triangles, point.typical))
                progress.above(terminal_plot(curves, counts, min(WIDTH, progress.width), HEIGHT))
                return
            for count in sorted({point.triangles for point in points} - told):
                told.add(count)
                of_it = [f"{one.attention} {one.typical:.3g} s" for one in points if one.triangles == count]
                console.say(f"{count:,} triangles: {', '.join(of_it)}")

        yield Watch(progress.show, show)


def redraw(console: Console, file: Path, out: Path) -> None:
    """Tables, figures and page of a results.json, into `out`; nothing is measured."""
    from rfcli.study.plots.all import pictures_beside, write_reports
    from rfcli.study.results.files import read_results

    results = read_results(file)
    out.mkdir(parents=True, exist_ok=True)
    outputs = write_reports(results, out, pictures_beside(file))
    console.say(f"Drawn anew from {file}, in {out}/")
    console.receipt(device=results.setup["device"], outputs=outputs, **study_entries(results))


def compare(console: Console, studies: tuple[Path, Path], out: Path) -> None:
    """compare.png and compare.svg of two studies, into `out`, and a table of their differences."""
    from rich.table import Table

    from rfcli.study.plots.comparison import draw_comparison
    from rfcli.study.results.comparison import differences
    from rfcli.study.results.files import RESULTS, read_results

    first, second = (read_results(study / RESULTS if study.is_dir() else study) for study in studies)
    found = differences(first, second)
    out.mkdir(parents=True, exist_ok=True)
    names = (str(studies[0]), str(studies[1]))
    outputs = draw_comparison(out, found, names)
    table = Table(title=f"seconds: {names[0]} and {names[1]}", title_justify="left", box=None)
    for heading in ("attention", "triangles", "first", "second", "ratio (95 % interval)", "difference"):
        table.add_column(heading, justify="left" if heading == "attention" else "right")
    for one in found:
        ratio = f"{one.ratio:.3f} ({one.low:.3f}-{one.high:.3f})"
        verdict = "outside noise" if one.outside_noise else "within noise"
        table.add_row(one.attention, f"{one.triangles:,}", f"{one.first:.3g}", f"{one.second:.3g}", ratio, verdict)
    console.say(table)
    outside = sum(one.outside_noise for one in found)
    console.say(f"{outside} of {len(found)} differences are outside noise")
    rows = [{**asdict(one), "outside_noise": one.outside_noise} for one in found]
    console.receipt(device=first.setup["device"], outputs=outputs, differences=rows)
