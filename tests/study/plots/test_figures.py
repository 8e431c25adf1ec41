"""Texts and files of the figures."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from rfcli.study.plots import draw_comparison, draw_cost, draw_quality
from rfcli.study.plots.figures import spread_out
from rfcli.study.results import Difference, QualityRow, Row

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
    paths = draw_cost(folder, ROWS, RENDERS, titles, "A processor, 2 threads.")
    stems = ("time", "memory", "render")
    assert [path.name for path in paths] == [f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)
    return folder


def svg(path: Path) -> str:
    """The SVG; matplotlib writes each text as a comment next to its outlines."""
    assert ElementTree.parse(path).getroot().tag.endswith("svg")
    return path.read_text()


def test_time_names_its_curves_the_machine_and_extrapolated_points(folder: Path) -> None:
    text = svg(folder / "time.svg")
    for words in ("<!-- sdpa -->", "<!-- performer -->", "1 of 12 layers", "A processor", "extrapolated, not measured"):
        assert words in text
    assert "<!-- late -->" not in text  # it has no seconds


def test_renders_have_a_figure_in_the_same_colours(folder: Path) -> None:
    text = svg(folder / "render.svg")
    for words in ("<!-- sdpa -->", "whole render, base model", "extrapolated, not measured", "d55e00"):
        assert words in text


def test_memory_mentions_neither_bars_nor_extrapolation_without_them(folder: Path) -> None:
    text = svg(folder / "memory.svg")
    assert "extrapolated" not in text
    assert "interval" not in text
    assert "interval" in svg(folder / "time.svg")


def test_figure_without_known_values_is_not_drawn(tmp_path: Path) -> None:
    unknown = [Row("a", 1024, 1.0, 1.0, 1.0, None, True, 2)]
    assert [path.stem for path in draw_cost(tmp_path, unknown, [], ("", ""), "")] == ["time", "time"]


def quality_row(count: int, attention: str, psnr: float) -> QualityRow:
    return QualityRow(
        "tessellated", count, attention, "tiny", attention != "performer", count / 1e3, {"psnr": psnr}, None
    )


QUALITY_ROWS = [
    quality_row(1024, "sdpa", 20.0),
    quality_row(2048, "sdpa", 19.0),
    quality_row(1024, "performer", 12.0),
    quality_row(2048, "performer", 11.0),
]


def test_quality_names_untrained_mechanisms_and_the_machine(tmp_path: Path) -> None:
    paths = draw_quality(tmp_path, QUALITY_ROWS, ["sdpa", "nearfar", "performer"], "A processor, 2 threads.")
    assert [path.name for path in paths] == ["quality.png", "quality.svg"]
    text = paths[1].read_text()
    for words in ("<!-- performer (untrained) -->", "<!-- sdpa -->", "A processor", "untrained swap", "1k to 2k"):
        assert words in text
    assert "0072b2" in text  # performer is the third mechanism in all figures
    assert "d55e00" not in text
    assert draw_quality(tmp_path / "nowhere", [], [], "") == []


def test_comparison_names_both_studies(tmp_path: Path) -> None:
    differences = [
        Difference("sdpa", 1024, 1.0, 2.0, 2.0, 1.9, 2.1),
        Difference("performer", 1024, 1.0, 1.01, 1.01, 0.9, 1.1),
    ]
    paths = draw_comparison(tmp_path, differences, ("old", "new"))
    assert [path.name for path in paths] == ["compare.png", "compare.svg"]
    text = paths[1].read_text()
    for words in ("<!-- sdpa -->", "<!-- performer -->", "new / old", "Filled: outside noise"):
        assert words in text


@pytest.mark.parametrize(
    ("heights", "expected"),
    [([0.0, 100.0], [0.0, 100.0]), ([50.0, 52.0], [50.0, 66.0]), ([5.0, 0.0, 4.0], [32.0, 0.0, 16.0])],
)
def test_labels_keep_their_order_and_distance(heights: list[float], expected: list[float]) -> None:
    assert spread_out(heights, 16.0, top=1000.0) == expected


def test_labels_stay_below_the_top() -> None:
    assert spread_out([90.0, 95.0, 20.0, 92.0], 16.0, top=100.0) == [68.0, 100.0, 20.0, 84.0]
