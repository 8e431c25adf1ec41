"""The growing study on screen: curves in a terminal, lines elsewhere."""

import io

import pytest
from rich.console import Console as Rich

from rfcli.cli.bench_output import live_progress
from rfcli.cli.console import Console
from rfcli.study.results import Measurement

POINTS = [Measurement("sdpa", 1024, (0.5, 0.5), None), Measurement("performer", 1024, (0.25, 0.25), None)]
MORE = [*POINTS, Measurement("performer", 2048, (0.5, 0.5), None)]


def printed(terminal: bool, quiet: bool = False) -> str:
    console = Console("bench", quiet=quiet)
    file = io.StringIO()
    console._output = Rich(file=file, force_terminal=terminal, width=100, quiet=quiet, markup=False, highlight=False)
    with live_progress(console, [1024, 2048]) as callbacks:
        callbacks.on_points([])
        callbacks.on_progress(0.0, 60.0, "sdpa, 1,024 triangles")
        callbacks.on_points(POINTS)
        callbacks.on_points(MORE)
        callbacks.on_progress(30.0, 60.0, "render by sdpa, 1,024 triangles")
    return file.getvalue()


def test_without_a_terminal_each_count_is_a_line() -> None:
    assert printed(terminal=False).splitlines() == [
        "1,024 triangles: sdpa 0.5 s, performer 0.25 s",
        "2,048 triangles: performer 0.5 s",
    ]


def test_in_a_terminal_curves_are_above_the_bar() -> None:
    text = printed(terminal=True)
    last = text[text.rindex("s sdpa") - 2000 :]
    for words in ("s sdpa", "p performer", "│", "2k", "render by sdpa", "30/60"):
        assert words in last


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_prints_nothing(terminal: bool) -> None:
    assert printed(terminal, quiet=True) == ""
