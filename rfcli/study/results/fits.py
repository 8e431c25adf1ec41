"""How time grows with triangles: fits of measured points, intervals, and where one mechanism overtakes another."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from rfcli.study.results.measurement import Measurement

Floats = npt.NDArray[np.float64]

DRAWS = 400  # of the bootstrap
INTERVAL = (2.5, 97.5)  # percentiles: 95 %


def polynomial(triangles: Sequence[float], values: Sequence[float] | Floats, degree: int = 2) -> Floats:
    """a, b, c >= 0 of a + b N + c N^2, least squares of the *relative* errors; c = 0 where degree is 1.

    Work is never negative, so neither are the coefficients: without this bound noise at small N bends the curve down
    far outside the measured range. With three columns the bounded optimum is found by trying every set of columns.
    """
    n, t = np.asarray(triangles, np.float64), np.asarray(values, np.float64)
    columns = np.stack([np.ones_like(n), n, n * n], 1) / t[:, None]
    best, least = np.zeros(3), np.inf
    for size in range(1, min(degree + 1, len(n)) + 1):
        for chosen in combinations(range(degree + 1), size):
            scale = columns[:, chosen].max(0)  # N^2 and 1 differ by 10 orders of magnitude
            solution, *_ = np.linalg.lstsq(columns[:, chosen] / scale, np.ones_like(n), rcond=None)
            coefficients = np.zeros(3)
            coefficients[list(chosen)] = solution / scale
            error = float(np.square(columns @ coefficients - 1).sum())
            if (coefficients >= 0).all() and error < least * (1 - 1e-9):
                best, least = coefficients, error
    return best


def evaluate(coefficients: Floats, triangles: float) -> float:
    """a + b N + c N^2."""
    a, b, c = coefficients
    return float(a + b * triangles + c * triangles**2)


def exponent(triangles: Sequence[float], values: Sequence[float] | Floats) -> float:
    """Slope of log value over log N, least squares: 1 = linear growth, 2 = quadratic."""
    return float(np.polyfit(np.log(triangles), np.log(values), 1)[0])


def resampled_medians(measurements: Sequence[Measurement], seed: int) -> Floats:
    """[DRAWS, points] medians of runs drawn again with replacement (bootstrap; Efron 1979)."""
    rng = np.random.default_rng(seed)
    columns = []
    for measurement in measurements:
        runs = np.asarray(measurement.seconds)
        columns.append(np.median(rng.choice(runs, (DRAWS, len(runs))), axis=1))
    return np.stack(columns, 1)


def interval(draws: Sequence[float] | Floats) -> tuple[float, float]:
    """Low and high end of the 95 % interval of bootstrapped values [DRAWS]."""
    low, high = np.percentile(np.asarray(draws), INTERVAL)
    return float(low), float(high)


def crossing(first: dict[int, float], second: dict[int, float]) -> int | None:
    """The triangle count from which `first` takes less time than `second` at every larger count known of both.

    first, second: seconds by triangle count. Between counts, time is taken as a power law (a straight line on log-log).
    The smallest common count where `first` is faster throughout; None where it is not faster at the largest.
    """
    counts = sorted(set(first) & set(second))
    ahead = [np.log(second[n]) - np.log(first[n]) for n in counts]
    if not counts or ahead[-1] <= 0:
        return None
    last_behind = max((i for i, gain in enumerate(ahead) if gain <= 0), default=None)
    if last_behind is None:
        return counts[0]
    low, high = ahead[last_behind], ahead[last_behind + 1]
    share = -low / (high - low)
    a, b = np.log(counts[last_behind]), np.log(counts[last_behind + 1])
    return round(float(np.exp(a + share * (b - a))))
