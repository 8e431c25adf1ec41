"""What `rf bench` prints of a study: tables of seconds and of quality, and sentences."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from rfcli.study.labels import three_digits

if TYPE_CHECKING:
    from rfcli.study import Results, Row
    from rfcli.study.quality_means import QualityMean


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
    from rfcli.study.quality_means import means, scenes_label

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
