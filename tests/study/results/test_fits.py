"""Fits, growth and crossings of curves with known coefficients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfcli.study.results import Measurement, crossing_intervals, crossings, growth
from rfcli.study.results.fits import crossing, evaluate, exponent, interval, polynomial, resampled_medians
from tests.support.study_results import three_runs

COUNTS = [1024, 2048, 4096, 8192, 16384, 32768, 65536]


@pytest.mark.parametrize(
    ("a", "b", "c"), [(0.01, 4e-4, 5e-8), (0.0, 4e-4, 0.0), (0.0, 0.0, 5e-8), (0.3, 0.0, 0.0), (0.0, 1e-5, 2e-8)]
)
def test_polynomial_recovers_exact_coefficients(a: float, b: float, c: float) -> None:
    values = [a + b * n + c * n * n for n in COUNTS]
    fitted = polynomial(COUNTS, values)
    assert fitted == pytest.approx([a, b, c], rel=1e-6, abs=1e-12)
    assert evaluate(fitted, 131072) == pytest.approx(a + b * 131072 + c * 131072**2, rel=1e-6)


@given(st.lists(st.floats(1e-4, 1e4), min_size=2, max_size=7), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_polynomial_is_the_best_of_all_with_nonnegative_terms(values: list[float], seed: int) -> None:
    counts = COUNTS[: len(values)]
    fitted = polynomial(counts, values)
    assert (fitted >= 0).all()

    def error(coefficients: np.ndarray) -> float:
        return sum((evaluate(coefficients, n) / t - 1) ** 2 for n, t in zip(counts, values, strict=True))

    rng = np.random.default_rng(seed)
    for _ in range(50):
        nearby = fitted * rng.uniform(0.5, 1.5, 3) + rng.uniform(0, 1, 3) * [
            values[0],
            values[0] / 1e4,
            values[0] / 1e8,
        ]
        assert error(fitted) <= error(nearby) * (1 + 1e-6) + 1e-9


def test_fit_of_a_noisy_line_does_not_bend_down_beyond_the_measured_range() -> None:
    values = [4e-4 * n * factor for n, factor in zip(COUNTS[:4], (1.0, 1.05, 1.02, 0.93), strict=True)]
    assert evaluate(polynomial(COUNTS[:4], values), 65536) > 0.8 * 4e-4 * 65536


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_exponent_of_a_power_law(power: float) -> None:
    assert exponent(COUNTS, [3e-5 * n**power for n in COUNTS]) == pytest.approx(power)


def test_interval_covers_the_true_median_about_95_percent_of_the_time() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        runs = tuple(rng.normal(1.0, 0.1, 15))
        low, high = interval(resampled_medians([Measurement("a", 1, runs, None)], trial)[:, 0])
        covered += low <= 1.0 <= high
    assert 0.85 <= covered / 200 <= 0.995


def test_resampling_depends_on_the_seed_and_stays_within_the_runs() -> None:
    points = [Measurement("a", 1, (1.0, 2.0, 5.0), None), Measurement("a", 2, (3.0, 3.0), None)]
    resampled = resampled_medians(points, 7)
    assert np.array_equal(resampled, resampled_medians(points, 7))
    assert not np.array_equal(resampled, resampled_medians(points, 8))
    assert set(np.unique(resampled[:, 0])) <= {1.0, 2.0, 5.0}
    assert (resampled[:, 1] == 3.0).all()


def test_crossing_of_a_line_and_a_parabola() -> None:
    line = {n: 1e-3 * n for n in COUNTS}
    parabola = {n: 2e-7 * n * n for n in COUNTS}  # meets the line at N = 5,000
    assert crossing(line, parabola) == pytest.approx(5000, rel=1e-3)  # both are straight on log-log
    assert crossing(parabola, line) is None


def test_crossing_is_the_last_of_several() -> None:
    first = {1024: 1.0, 2048: 3.0, 4096: 3.0}
    second = {1024: 2.0, 2048: 2.0, 4096: 4.0}
    assert 2048 < crossing(first, second) < 4096  # type: ignore[operator]


def test_crossing_at_the_ends() -> None:
    assert crossing({1024: 1.0, 2048: 1.0}, {1024: 2.0, 2048: 2.0}) == 1024
    assert crossing({1024: 1.0}, {2048: 1.0}) is None
    assert crossing({1024: 1.0, 2048: 2.0, 4096: 9.0}, {1024: 2.0, 2048: 2.5}) == 1024  # common counts only


def line(n: int) -> float:
    return 1e-3 * n


def parabola(n: int) -> float:
    return 1e-3 * n + 2e-7 * n * n


def test_growth_is_fitted_to_the_largest_counts() -> None:
    wide = [1 << power for power in range(8, 20)]
    fits = growth(three_runs("a", wide, line) + three_runs("b", wide, parabola), ["a", "b", "c"], seed=0)
    assert set(fits) == {"a", "b"}
    assert fits["a"]["exponent"] == pytest.approx(1.0)
    assert fits["a"]["low"] < 1.0 < fits["a"]["high"]
    assert 1.9 < fits["b"]["exponent"] < 2.0
    assert (fits["b"]["from"], fits["b"]["to"]) == (wide[-4], wide[-1])
    assert fits["b"]["seconds"]["linear"] == pytest.approx(1e-3, rel=1e-4)
    assert fits["b"]["seconds"]["quadratic"] == pytest.approx(2e-7, rel=1e-4)
    for term, true in (("linear", 1e-3), ("quadratic", 2e-7)):
        low, high = fits["b"]["seconds_intervals"][term]
        assert low < true < high
        assert high < 1.2 * low
    assert fits["a"]["seconds_intervals"]["quadratic"][1] < 1e-9


def test_crossings_have_both_directions_and_measured_points_only() -> None:
    fast, slow = three_runs("fast", COUNTS[:5], lambda n: 2 + 1e-4 * n), three_runs("slow", COUNTS[:5], line)
    found = crossings(fast + slow, ["slow", "fast"])
    assert set(found) == {"slow<fast", "fast<slow"}
    assert found["fast<slow"] == pytest.approx(2 / 9e-4, rel=0.05)
    assert found["slow<fast"] is None
    assert crossings(fast[:1] + slow, ["slow", "fast"])["fast<slow"] is None


def test_crossing_interval_covers_the_crossing_and_grows_with_the_noise() -> None:
    def interval(spread: float) -> list[int]:
        fast, slow = (
            three_runs("fast", COUNTS[:5], lambda n: 2 + 1e-4 * n, spread),
            three_runs("slow", COUNTS[:5], line, spread),
        )
        found = crossing_intervals(fast + slow, ["slow", "fast"], seed=0)
        assert found["slow<fast"] is None
        assert found["fast<slow"] is not None
        return found["fast<slow"]

    exact = crossings(
        three_runs("fast", COUNTS[:5], lambda n: 2 + 1e-4 * n) + three_runs("slow", COUNTS[:5], line), ["slow", "fast"]
    )
    (low, high), (wide_low, wide_high) = interval(0.01), interval(0.05)
    assert low <= exact["fast<slow"] <= high  # type: ignore[operator]
    assert wide_low < low < high < wide_high
