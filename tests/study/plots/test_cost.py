"""What the figures say; how they look was judged by eye."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from rfcli.study.plots.axes import bytes_label, count_label, seconds_label, three_digits
from rfcli.study.plots.cost import draw_figures, spread
from rfcli.study.results.tables import Row

ROWS = [
    Row("sdpa", 1024, 0.5, 0.4, 0.6, 50_000_000, True, 5),
    Row("sdpa", 65536, 250.0, 240.0, 260.0, None, False, 0),
    Row("performer", 1024, 0.4, 0.3, 0.5, 60_000_000, True, 5),
    Row("performer", 65536, 30.0, 29.0, 31.0, 3_000_000_000, True, 2),
    Row("late", 65536, None, None, None, None, False, 0),
]
RENDERS = [
    Row("sdpa", 1024, 1.5, 1.4, 1.6, None, True, 5),
    Row("performer", 1024, 1.4, 1.3, 1.5, None, True, 5),
    Row("performer", 65536, 90.0, 80.0, 99.0, None, False, 0),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    titles = ("base model, 1 of 12 layers", "whole render, base model")
    paths = draw_figures(folder, ROWS, RENDERS, titles, "A processor, 2 threads.")
    stems = ("time", "memory", "render")
    assert [path.name for path in paths] == [f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)
    return folder


def comments(path: Path) -> str:
    """Matplotlib keeps each text as a comment beside its outlines."""
    assert ElementTree.parse(path).getroot().tag.endswith("svg")
    return path.read_text()


def test_time_names_its_curves_machine_and_what_was_not_measured(folder: Path) -> None:
    text = comments(folder / "time.svg")
    for words in ("<!-- sdpa -->", "<!-- performer -->", "1 of 12 layers", "A processor", "extrapolated, not measured"):
        assert words in text
    assert "<!-- late -->" not in text  # nothing is known of it


def test_renders_have_a_figure_of_their_own_in_the_same_colours(folder: Path) -> None:
    text = comments(folder / "render.svg")
    for words in ("<!-- sdpa -->", "whole render, base model", "extrapolated, not measured", "d55e00"):
        assert words in text


def test_memory_speaks_neither_of_bars_nor_of_extrapolation_where_there_are_none(folder: Path) -> None:
    text = comments(folder / "memory.svg")
    assert "extrapolated" not in text
    assert "interval" not in text
    assert "interval" in comments(folder / "time.svg")


def test_a_figure_without_any_number_is_not_drawn(tmp_path: Path) -> None:
    unknown = [Row("a", 1024, 1.0, 1.0, 1.0, None, True, 2)]
    assert [path.stem for path in draw_figures(tmp_path, unknown, [], ("", ""), "")] == ["time", "time"]


@pytest.mark.parametrize(
    ("heights", "expected"),
    [([0.0, 100.0], [0.0, 100.0]), ([50.0, 52.0], [50.0, 66.0]), ([5.0, 0.0, 4.0], [32.0, 0.0, 16.0])],
)
def test_labels_keep_their_order_and_distance(heights: list[float], expected: list[float]) -> None:
    assert spread(heights, 16.0, top=1000.0) == expected


def test_labels_stay_below_the_top() -> None:
    assert spread([90.0, 95.0, 20.0, 92.0], 16.0, top=100.0) == [68.0, 100.0, 20.0, 84.0]


def test_labels_read_as_people_write() -> None:
    assert [count_label(n) for n in (1024, 65536, 1000, 20480)] == ["1k", "64k", "1,000", "20k"]
    assert [seconds_label(t) for t in (0.002, 0.5, 1, 1.5, 20, 1000)] == [
        "2 ms",
        "500 ms",
        "1 s",
        "1.5 s",
        "20 s",
        "1,000 s",
    ]
    assert [three_digits(x) for x in (0.12345, 2.0, 123.4, 2345.6)] == ["0.123", "2", "123", "2,350"]
    assert [bytes_label(b) for b in (5e5, 2e7, 1e9)] == ["500 kB", "20 MB", "1 GB"]
