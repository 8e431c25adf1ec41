"""From measurements to results: rows, fits, crossings. What was not measured is extrapolated and marked so.

Seconds of whole renders: as measured, and where they were not, from the stage's and those that were.

All layers of the stage are alike, and the view-dependent stage is the same for every mechanism and linear in N. So

    render(N) = r stage(N) + a + b N

stage: seconds of the layers that the study runs at that count, measured or by their fit. r: how many times longer the
whole model's stage takes, at counts where both were measured, of each mechanism. a, b: of the view-dependent stage, of
all mechanisms together.

How many times as fast as softmax the others are, where it counts most: at the largest triangle count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import ConfigDict
from typing_extensions import TypedDict

from rfcli.study.plots.axes import three_digits
from rfcli.study.results import fits
from rfcli.study.results.measurement import Measurement
from rfcli.study.results.schema import CHECKED, Count, FileName, Finite, Name, Part, Seconds, Size
from rfcli.study.settings import FP32

TERMS: tuple[Literal["constant", "linear", "quadratic"], ...] = (
    "constant",
    "linear",
    "quadratic",
)  # of seconds = constant + linear N + quadratic N^2
LAST_POINTS = 4  # the growth exponent is that of the largest counts: at small ones every mechanism looks linear


@dataclass(frozen=True)
class Row:
    """One mechanism at one triangle count; seconds with a 95 % interval.

    measured False: nothing was run, and the numbers come from a + b N + c N^2 fitted to what was; they are None where
    there was too little to fit. runs: timed runs. peak_bytes: memory above the state before the stage.
    operation_seconds: of the mechanism alone; floor_share: the part of the stage, 0 to 1, that is not the mechanism;
    None where nothing was measured. precision: of the view-independent stage.
    """

    attention: FileName
    triangles: Count
    seconds: Seconds | None
    seconds_low: Part | None
    seconds_high: Part | None
    peak_bytes: Size | None
    measured: bool
    runs: Size
    operation_seconds: Part | None = None
    floor_share: Finite | None = None
    precision: Name = FP32

    __pydantic_config__: ClassVar[ConfigDict] = CHECKED


class Terms(TypedDict):
    """seconds = constant + linear N + quadratic N^2."""

    constant: Finite
    linear: Finite
    quadratic: Finite


class TermIntervals(TypedDict):
    """The 95 % interval of each term."""

    constant: tuple[Finite, Finite]
    linear: tuple[Finite, Finite]
    quadratic: tuple[Finite, Finite]


Growth = TypedDict(
    "Growth",
    {
        "exponent": Finite,
        "low": Finite,
        "high": Finite,
        "from": Count,
        "to": Count,
        "seconds": Terms,
        "seconds_intervals": TermIntervals,
    },
)


def rows(measurements: Sequence[Measurement], attentions: Sequence[str], counts: Sequence[int], seed: int) -> list[Row]:
    """A row for every mechanism and count, in that order."""
    return [row for name in attentions for row in _rows_of(name, of_one(measurements, name), counts, seed)]


def measured_row(point: Measurement, seed: int) -> Row:
    """The row of a point that was measured."""
    low, high = fits.interval(fits.resampled_medians([point], seed)[:, 0])
    cost = (point.typical, low, high, point.peak_bytes, True, len(point.seconds))
    return Row(point.attention, point.triangles, *cost, point.typical_operation, point.floor_share)


def of_one(measurements: Sequence[Measurement], attention: str) -> list[Measurement]:
    """The points of one mechanism, ascending in triangles."""
    chosen = [measurement for measurement in measurements if measurement.attention == attention]
    return sorted(chosen, key=lambda measurement: measurement.triangles)


def _rows_of(name: str, measured: list[Measurement], counts: Sequence[int], seed: int) -> list[Row]:
    known = {measurement.triangles: measurement for measurement in measured}
    triangles = list(known)
    out = []
    for count in counts:
        if count in known:
            out.append(measured_row(known[count], seed))
        elif len(measured) < 2:
            out.append(Row(name, count, None, None, None, None, False, 0))
        else:
            seconds = fits.evaluate(fits.polynomial(triangles, [point.typical for point in measured]), count)
            draws = fits.resampled_medians(measured, seed)
            low, high = fits.interval([fits.evaluate(fits.polynomial(triangles, draw), count) for draw in draws])
            out.append(Row(name, count, seconds, low, high, _extrapolated_bytes(measured, count), False, 0))
    return out


def _extrapolated_bytes(measured: list[Measurement], count: int) -> int | None:
    known = {point.triangles: point.peak_bytes for point in measured if point.peak_bytes}
    if len(known) < 2:
        return None
    return round(fits.evaluate(fits.polynomial(list(known), list(known.values())), count))


def growth(measurements: Sequence[Measurement], attentions: Sequence[str], seed: int) -> dict[str, Growth]:
    """By mechanism: the growth exponent of the largest measured counts with its 95 % interval, the counts it is of,
    and seconds = constant + linear N + quadratic N^2 over all of them, with the intervals of the three. With fewer
    than two points there is no entry."""
    out: dict[str, Growth] = {}
    for name in attentions:
        measured = of_one(measurements, name)
        if len(measured) < 2:
            continue
        last = measured[-LAST_POINTS:]
        counts = [point.triangles for point in last]
        low, high = fits.interval([fits.exponent(counts, draw) for draw in fits.resampled_medians(last, seed)])
        everywhere, typical = [point.triangles for point in measured], [point.typical for point in measured]
        constant, linear, quadratic = fits.polynomial(everywhere, typical).tolist()
        draws = np.stack([fits.polynomial(everywhere, draw) for draw in fits.resampled_medians(measured, seed)])
        out[name] = {
            "exponent": fits.exponent(counts, [point.typical for point in last]),
            "low": low,
            "high": high,
            "from": counts[0],
            "to": counts[-1],
            "seconds": Terms(constant=constant, linear=linear, quadratic=quadratic),
            "seconds_intervals": TermIntervals(
                constant=fits.interval(draws[:, 0]),
                linear=fits.interval(draws[:, 1]),
                quadratic=fits.interval(draws[:, 2]),
            ),
        }
    return out


def crossings(measurements: Sequence[Measurement], attentions: Sequence[str]) -> dict[str, int | None]:
    """By "a<b": the triangle count from which a takes less time than b, among measured points; None = not among them.

    Where a is faster throughout, the smallest count that was measured.
    """
    seconds = {name: {point.triangles: point.typical for point in of_one(measurements, name)} for name in attentions}
    return {f"{a}<{b}": fits.crossing(seconds[a], seconds[b]) for a in attentions for b in attentions if a != b}


def crossing_intervals(
    measurements: Sequence[Measurement], attentions: Sequence[str], seed: int
) -> dict[str, list[int] | None]:
    """The 95 % interval of each crossing, low and high, from runs drawn again; None where no draw has the crossing.

    It is of those draws that have it: where mechanisms are close, not all of them do.
    """
    medians = {
        name: fits.resampled_medians(of_one(measurements, name), seed + index)
        for index, name in enumerate(attentions)
        if of_one(measurements, name)
    }
    counts = {name: [point.triangles for point in of_one(measurements, name)] for name in medians}
    out: dict[str, list[int] | None] = {}
    for a in attentions:
        for b in attentions:
            if a == b:
                continue
            found = []
            for first, second in zip(medians.get(a, ()), medians.get(b, ()), strict=False):
                crossing = fits.crossing(
                    dict(zip(counts[a], first.tolist(), strict=True)),
                    dict(zip(counts[b], second.tolist(), strict=True)),
                )
                if crossing is not None:
                    found.append(crossing)
            out[f"{a}<{b}"] = [round(end) for end in fits.interval(found)] if found else None
    return out


LEAST_COUNTS = 2  # of whole renders, for a line


def render_rows(
    stage: Sequence[Measurement],
    renders: Sequence[Measurement],
    attentions: Sequence[str],
    counts: Sequence[int],
    seed: int,
) -> list[Row]:
    """A row for every mechanism and count, in that order, of seconds and memory of whole renders.

    stage, renders: what was measured of both. Where nothing can be said, because a mechanism has no render and stage
    in common or there are renders of one count only, seconds are None.
    """
    known = {(point.attention, point.triangles): point for point in renders}
    line = _view_lines(renders, seed)
    out = []
    for name in attentions:
        stages = {point.triangles: point for point in of_one(stage, name)}
        ratios = _ratios([known[name, count] for count in stages if (name, count) in known], stages, seed)
        for count in counts:
            if (name, count) in known:
                out.append(measured_row(known[name, count], seed))
            elif line is None or ratios is None or (count not in stages and len(stages) < LEAST_COUNTS):
                out.append(Row(name, count, None, None, None, None, False, 0))
            else:
                draws = ratios * _stage_seconds(list(stages.values()), count, seed) + line @ [1.0, count, 0.0]
                low, high = fits.interval(draws[1:])
                out.append(Row(name, count, float(draws[0]), low, high, None, False, 0))
    return out


def _medians(points: Sequence[Measurement], seed: int) -> fits.Floats:
    """[1 + DRAWS, points] medians of the runs, first of those that were, then of runs drawn again."""
    return np.concatenate([[[point.typical for point in points]], fits.resampled_medians(points, seed)])


def _view_lines(renders: Sequence[Measurement], seed: int) -> fits.Floats | None:
    """[1 + DRAWS, 3] a, b and 0 of the view-dependent stage; None where renders of one count only are known."""
    points = [replace(point, seconds=point.view) for point in renders if point.view]
    if len({point.triangles for point in points}) < LEAST_COUNTS:
        return None
    counts = [point.triangles for point in points]
    return np.stack([fits.polynomial(counts, medians, degree=1) for medians in _medians(points, seed)])


def _ratios(renders: Sequence[Measurement], stages: dict[int, Measurement], seed: int) -> fits.Floats | None:
    """[1 + DRAWS] how many times longer the whole model's stage takes; None where no count has both."""
    if not renders:
        return None
    whole = [
        replace(
            point, seconds=tuple(all_of_it - view for all_of_it, view in zip(point.seconds, point.view, strict=True))
        )
        for point in renders
    ]
    part = [stages[point.triangles] for point in renders]
    ratios: fits.Floats = np.median(_medians(whole, seed + 1) / _medians(part, seed), axis=1)
    return ratios


def _stage_seconds(stages: Sequence[Measurement], count: int, seed: int) -> fits.Floats:
    """[1 + DRAWS] of the layers that the study runs, measured or by their fit."""
    medians, counts = _medians(stages, seed), [point.triangles for point in stages]
    if count in counts:
        return medians[:, counts.index(count)]
    return np.array([fits.evaluate(fits.polynomial(counts, one), count) for one in medians])


SOFTMAX = "sdpa"


def speedups(table: Sequence[Row]) -> tuple[int, dict[str, float]] | None:
    """The largest triangle count at which softmax and others were measured, and softmax's seconds over those of each
    of the others there; None where no count has both. What was extrapolated is not asked."""
    seconds = {(row.triangles, row.attention): row.seconds for row in table if row.measured and row.seconds}
    for count in sorted({triangles for triangles, _ in seconds}, reverse=True):
        softmax = seconds.get((count, SOFTMAX))
        others = {name: taken for (triangles, name), taken in seconds.items() if triangles == count and name != SOFTMAX}
        if softmax and others:
            return count, {name: softmax / taken for name, taken in others.items()}
    return None


def speedup_sentences(stage: Sequence[Row], renders: Sequence[Row]) -> list[str]:
    """One of the stage and one of whole renders, where there is something to say."""
    sentences = []
    for what, table in (("the stage", stage), ("the whole render", renders)):
        found = speedups(table)
        if found is not None:
            count, factors = found
            each = ", ".join(f"{name} {three_digits(factor)}" for name, factor in factors.items())
            sentences.append(f"{what} at {count:,} triangles, times as fast as with softmax: {each}")
    return sentences
