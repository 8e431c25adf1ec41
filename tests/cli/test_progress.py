import io
import math
import time

import pytest
from rich.console import Console as Rich

from rfcli.cli import progress as module
from rfcli.cli.progress import ASCII_SPARKS, MAX_POINTS, Progress, Trend, sparkline


def test_bar_shows_count_rate_note_and_time_left() -> None:
    output = Rich(file=io.StringIO(), force_terminal=True, width=120)
    with Progress(output, "scenes", total=4, unit="scenes") as progress:
        time.sleep(0.05)
        progress.advance(2, note="1 skipped")
        assert progress.rate().endswith("scenes/s")
        assert 0.02 < progress.seconds_each() < 1
    text = output.file.getvalue()  # type: ignore[attr-defined]
    assert "scenes" in text
    assert "1 skipped" in text
    assert "2/4" in text


def test_log_gets_occasional_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Rich(file=io.StringIO(), width=20)
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with Progress(output, "steps", total=10, unit="steps") as progress:
        for step in range(5):
            now[0] += 20.0
            progress.advance(note=f"loss {step}")
    assert output.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "steps 2/10, 20 s each, 2:40 left, loss 1",
        "steps 4/10, 20 s each, 2:00 left, loss 3",
    ]


def test_quiet_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_INTERVAL", -1.0)
    for terminal in (True, False):
        output = Rich(file=io.StringIO(), force_terminal=terminal, quiet=True)
        with Progress(output, "steps", total=2, unit="steps") as progress:
            progress.advance()
        assert output.file.getvalue() == ""  # type: ignore[attr-defined]


def test_total_that_becomes_known_later() -> None:
    with Progress(Rich(file=io.StringIO()), "bench", total=None, unit="") as progress:
        progress.show(30.0, 90.0, "sdpa")
        assert progress.line().startswith("bench 30/90, 0:0")
        assert progress.rate() == ""


@pytest.mark.parametrize(
    ("values", "width", "sparks"),
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
def test_sparkline_shows_means(values: list[float], width: int, sparks: str) -> None:
    assert sparkline(values, width) == sparks


@pytest.mark.parametrize("count", [1, MAX_POINTS - 1, MAX_POINTS, MAX_POINTS + 1, 7 * MAX_POINTS + 3])
def test_long_series_are_reduced_to_means(count: int) -> None:
    trend = Trend()
    for value in range(count):
        trend.add(float(value))
    assert 1 <= len(trend.means) < MAX_POINTS
    per_mean = 1
    while count // per_mean >= MAX_POINTS:
        per_mean *= 2
    expected = [sum(range(i, i + per_mean)) / per_mean for i in range(0, count - per_mean + 1, per_mean)]
    assert trend.means == pytest.approx(expected)


def test_a_terminal_without_unicode_gets_ascii() -> None:
    trend = Trend()
    for value in range(8):
        trend.add(float(value))
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Rich(file=file, width=80).print(trend)
    file.seek(0)
    assert file.read() == ASCII_SPARKS + "\n"
