"""Positions in the terminal plot."""

from itertools import pairwise

import pytest

from rfcli.cli.terminal_plot import LABEL_WIDTH, axis_labels, curve_letters, line_dots, terminal_plot

COUNTS = [1024, 2048, 4096, 8192, 16384]
CURVES = {"sdpa": [(n, 1e-3 * n) for n in COUNTS], "performer": [(1024, 1.024), (2048, 1.024)]}


def test_points_are_at_their_counts_and_seconds_with_lines_between_them() -> None:
    lines = terminal_plot(CURVES, COUNTS, 60, 20).plain.split("\n")
    assert len(lines) == 20
    assert max(map(len, lines)) <= 60
    rows, axis, names = lines[:-2], lines[-2], lines[-1]
    points = {
        letter: [(r, row.index(letter, LABEL_WIDTH)) for r, row in enumerate(rows) if letter in row[LABEL_WIDTH:]]
        for letter in "sp"
    }
    assert len(points["s"]) == 4  # the first is hidden by p, which is drawn later
    columns = [column for _, column in points["s"]]
    assert columns[0] == 59  # the largest count, at the top right
    assert points["s"][0][0] == 0
    steps = [a - b for a, b in pairwise(columns)]
    assert max(steps) - min(steps) <= 1  # doublings are equally far apart
    assert all("⠀" < character < "⣿" for character in set("".join(rows)) - set(" │┤sp0123456789ms.,"))
    assert [label in axis for label in ("1k", "2k", "4k", "8k", "16k")] == [True] * 5
    assert axis.rstrip().endswith("16k")
    assert "s sdpa" in names
    assert "p performer" in names
    assert any(row.lstrip().startswith("10 s ┤") for row in rows)


def test_single_point_is_drawn() -> None:
    assert "s" in terminal_plot({"sdpa": [(1024, 0.5)]}, [1024], 40, 10).plain


def test_lines_are_unbroken() -> None:
    points = line_dots([(0.0, 0.0), (3.0, 9.0)])
    assert {row for row, _ in points} == {0, 1, 2, 3}
    assert {column for _, column in points} == set(range(10))
    assert line_dots([(1.0, 1.0)]) == {}


@pytest.mark.parametrize(
    ("names", "letters"),
    [(["sdpa", "performer"], "sp"), (["sdpa", "sdpa-plain", "s"], "sd*"), (["nearfar", "near"], "ne")],
)
def test_letters_are_distinct(names: list[str], letters: str) -> None:
    assert "".join(curve_letters(names).values()) == letters


def test_labels_that_would_touch_are_left_out() -> None:
    text = axis_labels({"1k": 0, "2k": 2, "4k": 4, "64k": 20}, 21)
    assert text == "1k  4k            64k"
    assert len(text) <= 21
