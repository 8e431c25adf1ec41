"""How seconds grow with triangles: fitted polynomials, growth exponents and crossings, with bootstrap intervals.

seconds(N) = a + b N + c N^2. Intervals are 95 % intervals of the bootstrap (Efron 1979): the runs of each point are
drawn again with replacement, and everything is computed again from each resample.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
from typing_extensions import TypedDict

from rfcli.study.results.measurement import Count, Finite, Measurement

Floats = npt.NDArray[np.float64]

RESAMPLES = 400
INTERVAL_PERCENTILES = (2.5, 97.5)  # 95 %
TERMS: tuple[Literal["constant", "linear", "quadratic"], ...] = ("constant", "linear", "quadratic")  # a, b, c
EXPONENT_POINTS = 4  # the largest counts: at small ones every mechanism looks linear


class Terms(TypedDict):
    """seconds = constant + linear N + quadratic N^2."""

    constant: Finite
    linear: Finite
    quadratic: Finite


class TermIntervals(TypedDict):
    """95 % interval of each term."""

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


def points_of(measurements: Sequence[Measurement], attention: str) -> list[Measurement]:
    """The points of one mechanism, in ascending order of triangles."""
    chosen = [measurement for measurement in measurements if measurement.attention == attention]
    return sorted(chosen, key=lambda measurement: measurement.triangles)


def growth(measurements: Sequence[Measurement], attentions: Sequence[str], seed: int) -> dict[str, Growth]:
    """How the seconds of each mechanism grow; mechanisms with fewer than two points are left out.

    Args:
        measurements: Measured points.
        attentions: Names of the mechanisms.
        seed: Seed of the bootstrap.

    Returns:
        By mechanism: the growth exponent of its EXPONENT_POINTS largest counts ("from" to "to") with its 95 % interval
        ("low" to "high"), and the terms of seconds = a + b N + c N^2 over all counts with theirs.
    """
    out: dict[str, Growth] = {}
    for name in attentions:
        measured = points_of(measurements, name)
        if len(measured) < 2:
            continue
        largest = measured[-EXPONENT_POINTS:]
        counts = [point.triangles for point in largest]
        low, high = interval([exponent(counts, medians) for medians in resampled_medians(largest, seed)])
        all_counts, all_medians = [point.triangles for point in measured], [point.median_seconds for point in measured]
        constant, linear, quadratic = polynomial(all_counts, all_medians).tolist()
        terms = np.stack([polynomial(all_counts, medians) for medians in resampled_medians(measured, seed)])
        out[name] = {
            "exponent": exponent(counts, [point.median_seconds for point in largest]),
            "low": low,
            "high": high,
            "from": counts[0],
            "to": counts[-1],
            "seconds": Terms(constant=constant, linear=linear, quadratic=quadratic),
            "seconds_intervals": TermIntervals(
                constant=interval(terms[:, 0]), linear=interval(terms[:, 1]), quadratic=interval(terms[:, 2])
            ),
        }
    return out


def crossings(measurements: Sequence[Measurement], attentions: Sequence[str]) -> dict[str, int | None]:
    """Triangle counts from which one mechanism is faster than another.

    Args:
        measurements: Measured points.
        attentions: Names of the mechanisms.

    Returns:
        By "a<b": the count from which a takes less time than b, among measured points; the smallest measured count if
        a is always faster, None if it is not faster at the largest.
    """
    seconds = {
        name: {point.triangles: point.median_seconds for point in points_of(measurements, name)} for name in attentions
    }
    return {f"{a}<{b}": crossing(seconds[a], seconds[b]) for a in attentions for b in attentions if a != b}


def crossing_intervals(
    measurements: Sequence[Measurement], attentions: Sequence[str], seed: int
) -> dict[str, list[int] | None]:
    """The 95 % interval of each crossing.

    Args:
        measurements: Measured points.
        attentions: Names of the mechanisms.
        seed: Seed of the bootstrap.

    Returns:
        By "a<b": low and high end of the count, over those resamples in which the two cross; None if they cross in
        none.
    """
    medians = {
        name: resampled_medians(points_of(measurements, name), seed + index)
        for index, name in enumerate(attentions)
        if points_of(measurements, name)
    }
    counts = {name: [point.triangles for point in points_of(measurements, name)] for name in medians}
    out: dict[str, list[int] | None] = {}
    for a in attentions:
        for b in attentions:
            if a == b:
                continue
            found = []
            for first, second in zip(medians.get(a, ()), medians.get(b, ()), strict=False):
                count = crossing(
                    dict(zip(counts[a], first.tolist(), strict=True)),
                    dict(zip(counts[b], second.tolist(), strict=True)),
                )
                if count is not None:
                    found.append(count)
            out[f"{a}<{b}"] = [round(end) for end in interval(found)] if found else None
    return out


def polynomial(triangles: Sequence[float], values: Sequence[float] | Floats, degree: int = 2) -> Floats:
    """Terms [a, b, c] >= 0 of a + b N + c N^2, least squares of the *relative* errors; c = 0 if degree is 1.

    Work is never negative, so neither are the terms: without this bound noise at small N bends the curve down far
    outside the measured range. The bounded optimum of three terms is found by trying every subset of them.
    """
    n, t = np.asarray(triangles, np.float64), np.asarray(values, np.float64)
    columns = np.stack([np.ones_like(n), n, n * n], 1) / t[:, None]
    best, best_error = np.zeros(3), np.inf
    for size in range(1, min(degree + 1, len(n)) + 1):
        for chosen in combinations(range(degree + 1), size):
            scale = columns[:, chosen].max(0)  # N^2 and 1 differ by 10 orders of magnitude
            solution, *_ = np.linalg.lstsq(columns[:, chosen] / scale, np.ones_like(n), rcond=None)
            terms = np.zeros(3)
            terms[list(chosen)] = solution / scale
            error = float(np.square(columns @ terms - 1).sum())
            if (terms >= 0).all() and error < best_error * (1 - 1e-9):
                best, best_error = terms, error
    return best


def evaluate(terms: Floats, triangles: float) -> float:
    """a + b N + c N^2."""
    a, b, c = terms
    return float(a + b * triangles + c * triangles**2)


def exponent(triangles: Sequence[float], values: Sequence[float] | Floats) -> float:
    """Slope of log value over log N, least squares: 1 = linear growth, 2 = quadratic."""
    return float(np.polyfit(np.log(triangles), np.log(values), 1)[0])


def resampled_medians(measurements: Sequence[Measurement], seed: int) -> Floats:
    """[RESAMPLES, points] medians of each point's runs, drawn again with replacement."""
    rng = np.random.default_rng(seed)
    columns = []
    for measurement in measurements:
        runs = np.asarray(measurement.seconds)
        columns.append(np.median(rng.choice(runs, (RESAMPLES, len(runs))), axis=1))
    return np.stack(columns, 1)


def interval(resampled: Sequence[float] | Floats) -> tuple[float, float]:
    """Low and high end of the 95 % interval of resampled values [RESAMPLES]."""
    low, high = np.percentile(np.asarray(resampled), INTERVAL_PERCENTILES)
    return float(low), float(high)


def crossing(first: dict[int, float], second: dict[int, float]) -> int | None:
    """The triangle count from which `first` takes less time than `second` at all larger counts that both have.

    first, second: seconds by triangle count. Between counts, time is taken as a power law (a straight line on log-log
    axes). The smallest common count if `first` is always faster; None if it is not faster at the largest.
    """
    counts = sorted(set(first) & set(second))
    log_speedup = [np.log(second[n]) - np.log(first[n]) for n in counts]
    if not counts or log_speedup[-1] <= 0:
        return None
    last_slower = max((i for i, gain in enumerate(log_speedup) if gain <= 0), default=None)
    if last_slower is None:
        return counts[0]
    low, high = log_speedup[last_slower], log_speedup[last_slower + 1]
    share = -low / (high - low)
    a, b = np.log(counts[last_slower]), np.log(counts[last_slower + 1])
    return round(float(np.exp(a + share * (b - a))))
