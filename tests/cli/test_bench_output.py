"""A study as its reader sees it grow: curves in a terminal, lines elsewhere."""

import io

import pytest
from rich.console import Console as Rich

from rfcli.cli.bench_output import live
from rfcli.cli.console import Console
from rfcli.study.results.measurement import Measurement

POINTS = [Measurement("sdpa", 1024, (0.5, 0.5), None), Measurement("performer", 1024, (0.25, 0.25), None)]
MORE = [*POINTS, Measurement("performer", 2048, (0.5, 0.5), None)]


def shown(terminal: bool, quiet: bool = False) -> str:
    console = Console("bench", quiet=quiet)
    file = io.StringIO()
    console._people = Rich(file=file, force_terminal=terminal, width=100, quiet=quiet, markup=False, highlight=False)
    with live(console, [1024, 2048]) as watch:
        watch.points([])
        watch.report(0.0, 60.0, "sdpa, 1,024 triangles")
        watch.points(POINTS)
        watch.points(MORE)
        watch.report(30.0, 60.0, "render by sdpa, 1,024 triangles")
    return file.getvalue()


def test_without_a_terminal_there_is_a_line_for_each_count() -> None:
    assert shown(terminal=False).splitlines() == [
        "1,024 triangles: sdpa 0.5 s, performer 0.25 s",
        "2,048 triangles: performer 0.5 s",
    ]


def test_in_a_terminal_there_are_curves_above_the_bar() -> None:
    text = shown(terminal=True)
    last = text[text.rindex("s sdpa") - 2000 :]
    for words in ("s sdpa", "p performer", "│", "2k", "render by sdpa", "30/60"):
        assert words in last


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_shows_nothing(terminal: bool) -> None:
    assert shown(terminal, quiet=True) == ""
