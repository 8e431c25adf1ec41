import io
import math

import pytest
from rich.console import Console as Rich

from rfcli.cli.progress import ASCII_BARS, POINTS, Trend, sparkline


@pytest.mark.parametrize(
    ("values", "width", "bars"),
    [
        ([], 8, ""),
        ([3.0], 8, "▁"),
        ([2.0, 2.0, 2.0], 8, "▁▁▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, "▁▂▃▄▅▆▇█"),
        ([7, 0], 8, "█▁"),
        ([0, 0, 7, 7, 3, 4], 3, "▁█▅"),  # means 0, 7 and 3.5
        ([0, math.nan, 7, math.inf], 8, "▁█"),
        ([1.0, 2.0], 0, ""),
    ],
)
def test_bars_stand_for_means(values: list[float], width: int, bars: str) -> None:
    assert sparkline(values, width) == bars


@pytest.mark.parametrize("count", [1, POINTS - 1, POINTS, POINTS + 1, 7 * POINTS + 3])
def test_a_long_row_is_kept_in_short(count: int) -> None:
    trend = Trend()
    for value in range(count):
        trend.add(float(value))
    assert 1 <= len(trend.means) < POINTS
    stretch = 1
    while count // stretch >= POINTS:
        stretch *= 2
    expected = [sum(range(i, i + stretch)) / stretch for i in range(0, count - stretch + 1, stretch)]
    assert trend.means == pytest.approx(expected)


def test_a_terminal_without_unicode_gets_ascii() -> None:
    trend = Trend()
    for value in range(8):
        trend.add(float(value))
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Rich(file=file, width=80).print(trend)
    file.seek(0)
    assert file.read() == ASCII_BARS + "\n"
