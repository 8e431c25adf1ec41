"""Rows, fits and crossings of measurements that were made up."""

import pytest

from rfcli.study.results.measurement import Measurement
from rfcli.study.results.tables import crossing_intervals, crossings, growth, rows, speedup_sentences, speedups

COUNTS = [1024, 2048, 4096, 8192, 16384]


def points(attention: str, counts: list[int], seconds, spread: float = 0.02) -> list[Measurement]:  # type: ignore[no-untyped-def]
    return [
        Measurement(attention, n, tuple(seconds(n) * (1 + spread * step) for step in (-1, 0, 1)), 1000 + 50 * n)
        for n in counts
    ]


def line(n: int) -> float:
    return 1e-3 * n


def parabola(n: int) -> float:
    return 1e-3 * n + 2e-7 * n * n


def test_measured_rows_are_medians_with_their_intervals() -> None:
    table = rows(points("a", COUNTS, line), ["a"], COUNTS, seed=0)
    assert [row.triangles for row in table] == COUNTS
    assert all(row.measured and row.runs == 3 for row in table)
    for row in table:
        assert row.seconds == pytest.approx(line(row.triangles))
        assert row.seconds_low == pytest.approx(0.98 * line(row.triangles))
        assert row.seconds_high == pytest.approx(1.02 * line(row.triangles))
        assert row.peak_bytes == 1000 + 50 * row.triangles


def test_what_was_not_measured_is_extrapolated_and_says_so() -> None:
    table = rows(points("a", COUNTS[:3], parabola), ["a"], COUNTS, seed=0)
    measured, beyond = table[:3], table[3:]
    assert all(row.measured for row in measured)
    for row in beyond:
        assert not row.measured
        assert row.runs == 0
        assert row.seconds == pytest.approx(parabola(row.triangles), rel=1e-6)
        assert row.seconds_low < row.seconds < row.seconds_high  # type: ignore[operator]
        assert row.peak_bytes == pytest.approx(1000 + 50 * row.triangles, rel=1e-3)
    # further away, less certain
    widths = [row.seconds_high / row.seconds_low for row in beyond]  # type: ignore[operator]
    assert widths[0] < widths[1]


def test_too_little_to_fit_gives_no_numbers() -> None:
    table = rows(points("a", COUNTS[:1], line), ["a", "b"], COUNTS[:2], seed=0)
    assert [(row.attention, row.measured, row.seconds is None) for row in table] == [
        ("a", True, False),
        ("a", False, True),
        ("b", False, True),
        ("b", False, True),
    ]


def test_memory_that_the_device_does_not_tell_stays_unknown() -> None:
    unknown = [Measurement("a", n, (line(n), line(n)), None) for n in COUNTS[:3]]
    assert [row.peak_bytes for row in rows(unknown, ["a"], COUNTS, seed=0)] == [None] * 5


def test_growth_is_that_of_the_largest_counts() -> None:
    wide = [1 << power for power in range(8, 20)]
    fits = growth(points("a", wide, line) + points("b", wide, parabola), ["a", "b", "c"], seed=0)
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


def test_crossings_know_both_directions_and_measured_points_only() -> None:
    fast, slow = points("fast", COUNTS, lambda n: 2 + 1e-4 * n), points("slow", COUNTS, line)
    found = crossings(fast + slow, ["slow", "fast"])
    assert set(found) == {"slow<fast", "fast<slow"}
    assert found["fast<slow"] == pytest.approx(2 / 9e-4, rel=0.05)
    assert found["slow<fast"] is None
    assert crossings(fast[:1] + slow, ["slow", "fast"])["fast<slow"] is None


def test_the_interval_of_a_crossing_covers_it_and_narrows_with_the_noise() -> None:
    def interval(spread: float) -> list[int]:
        fast, slow = points("fast", COUNTS, lambda n: 2 + 1e-4 * n, spread), points("slow", COUNTS, line, spread)
        found = crossing_intervals(fast + slow, ["slow", "fast"], seed=0)
        assert found["slow<fast"] is None
        assert found["fast<slow"] is not None
        return found["fast<slow"]

    exact = crossings(points("fast", COUNTS, lambda n: 2 + 1e-4 * n) + points("slow", COUNTS, line), ["slow", "fast"])
    (low, high), (wide_low, wide_high) = interval(0.01), interval(0.05)
    assert low <= exact["fast<slow"] <= high  # type: ignore[operator]
    assert wide_low < low < high < wide_high


def test_what_was_measured_knows_the_operation_and_the_floor() -> None:
    known = [Measurement("a", n, (line(n), line(n)), None, (0.25 * line(n), 0.5 * line(n))) for n in COUNTS[:3]]
    table = rows(known, ["a"], COUNTS[:4], seed=0)
    assert table[0].operation_seconds == pytest.approx(0.375 * line(1024))
    assert table[0].floor_share == pytest.approx(0.625)
    assert (table[3].operation_seconds, table[3].floor_share) == (None, None)


def test_speedups_are_of_the_largest_count_that_was_measured_of_both() -> None:
    measured = points("sdpa", COUNTS[:4], parabola) + points("fast", COUNTS, line)
    table = rows(measured, ["sdpa", "fast"], COUNTS, seed=0)
    found = speedups(table)
    assert found is not None
    assert found[0] == COUNTS[3]
    assert found[1] == {"fast": pytest.approx(parabola(COUNTS[3]) / line(COUNTS[3]))}
    assert speedup_sentences(table, []) == ["the stage at 8,192 triangles, times as fast as with softmax: fast 2.64"]
    assert speedups(rows(points("fast", COUNTS, line), ["sdpa", "fast"], COUNTS, seed=0)) is None
