"""Labels and round ticks of axes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfcli.study.plots.axes import bytes_label, count_label, round_values, seconds_label


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.9, 9.0, [1, 2, 5, 10]),
        (0.001, 60.0, [0.001, 0.01, 0.1, 1, 10]),
        (1e3, 1e9, [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]),
        (0.48, 0.56, [0.5, 0.55]),  # 1, 2 and 5 times powers of ten are too coarse
        (100.0, 130.0, [100, 110, 120, 130]),
        (0.3, 0.9, [0.4, 0.6, 0.8]),
        (9.29, 9.52, [9.3, 9.4, 9.5]),
        (553360.0, 1383400.0, [6e5, 8e5, 1e6, 1.2e6, 1.4e6]),  # the next step, 500,000, has one value
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert round_values(low, high) == ticks


@given(st.floats(1e-6, 1e6), st.floats(1.0, 1e7), st.sampled_from([5, 6, 9]))
def test_ticks_are_few_and_near_the_range_and_at_least_two(low: float, factor: float, maximum: int) -> None:
    high = low * factor
    ticks = round_values(low, high, maximum)
    assert ticks == sorted(set(ticks))
    assert 1 <= len(ticks) <= max(maximum, 8)
    if factor > 1.002:
        assert len(ticks) >= 2
    assert all(low / 1.5 <= tick <= high * 1.5 for tick in ticks)


def test_labels_are_readable() -> None:
    assert [count_label(n) for n in (1024, 65536, 1000, 20480)] == ["1k", "64k", "1,000", "20k"]
    assert [seconds_label(t) for t in (0.002, 0.5, 1, 1.5, 20, 1000)] == [
        "2 ms",
        "500 ms",
        "1 s",
        "1.5 s",
        "20 s",
        "1,000 s",
    ]
    assert [bytes_label(b) for b in (5e5, 2e7, 1e9)] == ["500 kB", "20 MB", "1 GB"]
