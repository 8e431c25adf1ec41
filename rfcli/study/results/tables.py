"""The tables of a study: a row per mechanism and triangle count, of the stage and of whole renders.

Points that were not measured are extrapolated and marked as such: those of the view-independent stage by its fit
(`rfcli.study.results.fits`), whole renders from the stage. All layers of the stage are alike, and the view-dependent
stage is the same for every mechanism and linear in N, so

    render(N) = r stage(N) + a + b N

stage: seconds of the layers that the study runs, measured or fitted. r: how many times longer the whole model's stage
takes, of each mechanism, at the counts where both were measured. a, b: of the view-dependent stage, fitted over all
mechanisms together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict

from rfcli.attention import SOFTMAX
from rfcli.study.results.fits import Floats, evaluate, interval, points_of, polynomial, resampled_medians
from rfcli.study.results.measurement import (
    CHECKED,
    Count,
    FileName,
    Finite,
    Measurement,
    Name,
    PartSeconds,
    Seconds,
    Size,
)

MIN_FIT_POINTS = 2


@dataclass(frozen=True)
class Row:
    """Cost of one mechanism at one triangle count.

    Attributes:
        attention: Name of the curve; see `Measurement`.
        triangles: Triangle count.
        seconds: Median, measured or extrapolated; None if there was too little to extrapolate from.
        seconds_low: Low end of the 95 % interval.
        seconds_high: High end of the 95 % interval.
        peak_bytes: Peak memory above the state before the run.
        measured: False if the numbers are extrapolated.
        runs: Number of timed runs.
        operation_seconds: Median seconds of the mechanism alone; None if not measured.
        floor_share: Share of the stage, 0 to 1, that is not the mechanism; None if not measured.
        precision: Number format of the view-independent stage.
    """

    attention: FileName
    triangles: Count
    seconds: Seconds | None
    seconds_low: PartSeconds | None
    seconds_high: PartSeconds | None
    peak_bytes: Size | None
    measured: bool
    runs: Size
    operation_seconds: PartSeconds | None = None
    floor_share: Finite | None = None
    precision: Name = "fp32"

    __pydantic_config__: ClassVar[ConfigDict] = CHECKED


def stage_rows(
    measurements: Sequence[Measurement], attentions: Sequence[str], counts: Sequence[int], seed: int
) -> list[Row]:
    """The table of the view-independent stage.

    Args:
        measurements: Measured points of the stage.
        attentions: Names of the mechanisms, in the table's order.
        counts: Triangle counts, in the table's order.
        seed: Seed of the bootstrap.

    Returns:
        A row for every mechanism and count.
    """
    return [row for name in attentions for row in _rows_of(name, points_of(measurements, name), counts, seed)]


def render_rows(
    stage: Sequence[Measurement],
    renders: Sequence[Measurement],
    attentions: Sequence[str],
    counts: Sequence[int],
    seed: int,
) -> list[Row]:
    """The table of whole renders.

    Args:
        stage: Measured points of the stage.
        renders: Measured points of whole renders.
        attentions: Names of the mechanisms, in the table's order.
        counts: Triangle counts, in the table's order.
        seed: Seed of the bootstrap.

    Returns:
        A row for every mechanism and count. Seconds are None if there are renders of one count only, or if no count of
        the mechanism has both a render and the stage.
    """
    known = {(point.attention, point.triangles): point for point in renders}
    line = _view_lines(renders, seed)
    out = []
    for name in attentions:
        stages = {point.triangles: point for point in points_of(stage, name)}
        ratios = _ratios([known[name, count] for count in stages if (name, count) in known], stages, seed)
        for count in counts:
            if (name, count) in known:
                out.append(_measured_row(known[name, count], seed))
            elif line is None or ratios is None or (count not in stages and len(stages) < MIN_FIT_POINTS):
                out.append(Row(name, count, None, None, None, None, False, 0))
            else:
                seconds = ratios * _stage_seconds(list(stages.values()), count, seed) + line @ [1.0, count, 0.0]
                low, high = interval(seconds[1:])
                out.append(Row(name, count, float(seconds[0]), low, high, None, False, 0))
    return out


def speedups(table: Sequence[Row]) -> tuple[int, dict[str, float]] | None:
    """Speed relative to softmax at the largest count with measurements of softmax and of others; None without one.

    Returns the count, and by mechanism softmax's seconds over its own.
    """
    seconds = {(row.triangles, row.attention): row.seconds for row in table if row.measured and row.seconds}
    for count in sorted({triangles for triangles, _ in seconds}, reverse=True):
        softmax = seconds.get((count, SOFTMAX))
        others = {name: value for (triangles, name), value in seconds.items() if triangles == count and name != SOFTMAX}
        if softmax and others:
            return count, {name: softmax / value for name, value in others.items()}
    return None


def speedup_sentences(stage: Sequence[Row], renders: Sequence[Row]) -> list[str]:
    """Speedups in words: a sentence on the stage and one on whole renders, as far as they are known."""
    sentences = []
    for title, table in (("the stage", stage), ("the whole render", renders)):
        found = speedups(table)
        if found is not None:
            count, factors = found
            each = ", ".join(f"{name} {three_digits(factor)}" for name, factor in factors.items())
            sentences.append(f"speed relative to softmax, {title} at {count:,} triangles: {each}")
    return sentences


def seconds_cell(row: Row, to: str) -> str:
    """A cell of a printed table: "0.5 (0.4 to 0.6)", extrapolated "[0.5]"; `to` separates the interval's ends."""
    if row.seconds is None:
        return "too little time"
    if not row.measured:
        return f"[{three_digits(row.seconds)}]"
    low, high = row.seconds_low or 0.0, row.seconds_high or 0.0
    return f"{three_digits(row.seconds)} ({three_digits(low)}{to}{three_digits(high)})"


def three_digits(number: float) -> str:
    """0.12345 -> 0.123, 2345.6 -> 2,350: as many digits as a measurement has."""
    return f"{float(f'{number:.3g}'):,g}"


def _measured_row(point: Measurement, seed: int) -> Row:
    low, high = interval(resampled_medians([point], seed)[:, 0])
    cost = (point.median_seconds, low, high, point.peak_bytes, True, len(point.seconds))
    return Row(point.attention, point.triangles, *cost, point.median_operation, point.floor_share)


def _rows_of(name: str, measured: list[Measurement], counts: Sequence[int], seed: int) -> list[Row]:
    known = {measurement.triangles: measurement for measurement in measured}
    triangles = list(known)
    out = []
    for count in counts:
        if count in known:
            out.append(_measured_row(known[count], seed))
        elif len(measured) < MIN_FIT_POINTS:
            out.append(Row(name, count, None, None, None, None, False, 0))
        else:
            seconds = evaluate(polynomial(triangles, [point.median_seconds for point in measured]), count)
            resampled = resampled_medians(measured, seed)
            low, high = interval([evaluate(polynomial(triangles, medians), count) for medians in resampled])
            out.append(Row(name, count, seconds, low, high, _extrapolated_bytes(measured, count), False, 0))
    return out


def _extrapolated_bytes(measured: list[Measurement], count: int) -> int | None:
    known = {point.triangles: point.peak_bytes for point in measured if point.peak_bytes}
    if len(known) < MIN_FIT_POINTS:
        return None
    return round(evaluate(polynomial(list(known), list(known.values())), count))


def _medians(points: Sequence[Measurement], seed: int) -> Floats:
    """[1 + RESAMPLES, points] medians of the runs, first the measured ones, then those of the bootstrap."""
    return np.concatenate([[[point.median_seconds for point in points]], resampled_medians(points, seed)])


def _view_lines(renders: Sequence[Measurement], seed: int) -> Floats | None:
    """[1 + RESAMPLES, 3] a, b and 0 of the view-dependent stage; None if only renders of one count are known."""
    points = [replace(point, seconds=point.view) for point in renders if point.view]
    if len({point.triangles for point in points}) < MIN_FIT_POINTS:
        return None
    counts = [point.triangles for point in points]
    return np.stack([polynomial(counts, medians, degree=1) for medians in _medians(points, seed)])


def _ratios(renders: Sequence[Measurement], stages: dict[int, Measurement], seed: int) -> Floats | None:
    """[1 + RESAMPLES] r, how many times longer the whole model's stage takes; None if no count has both."""
    if not renders:
        return None
    whole = [
        replace(point, seconds=tuple(total - view for total, view in zip(point.seconds, point.view, strict=True)))
        for point in renders
    ]
    part = [stages[point.triangles] for point in renders]
    ratios: Floats = np.median(_medians(whole, seed + 1) / _medians(part, seed), axis=1)
    return ratios


def _stage_seconds(stages: Sequence[Measurement], count: int, seed: int) -> Floats:
    """[1 + RESAMPLES] seconds of the layers that the study runs, measured or fitted."""
    medians, counts = _medians(stages, seed), [point.triangles for point in stages]
    if count in counts:
        return medians[:, counts.index(count)]
    return np.array([evaluate(polynomial(counts, one), count) for one in medians])
