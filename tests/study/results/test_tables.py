"""Tables of invented measurements: the stage, whole renders, speedups."""

import numpy as np
import pytest

from rfcli.study.results import Measurement, render_rows, stage_rows
from rfcli.study.results.tables import seconds_cell, speedup_sentences, speedups, three_digits
from tests.support.study_results import three_runs

COUNTS = [1024, 2048, 4096, 8192, 16384]


def line(n: int) -> float:
    return 1e-3 * n


def parabola(n: int) -> float:
    return 1e-3 * n + 2e-7 * n * n


def test_measured_rows_are_medians_with_their_intervals() -> None:
    table = stage_rows(three_runs("a", COUNTS, line), ["a"], COUNTS, seed=0)
    assert [row.triangles for row in table] == COUNTS
    assert all(row.measured and row.runs == 3 for row in table)
    for row in table:
        assert row.seconds == pytest.approx(line(row.triangles))
        assert row.seconds_low == pytest.approx(0.98 * line(row.triangles))
        assert row.seconds_high == pytest.approx(1.02 * line(row.triangles))
        assert row.peak_bytes == 1000 + 50 * row.triangles


def test_unmeasured_points_are_extrapolated_and_marked() -> None:
    table = stage_rows(three_runs("a", COUNTS[:3], parabola), ["a"], COUNTS, seed=0)
    measured, beyond = table[:3], table[3:]
    assert all(row.measured for row in measured)
    for row in beyond:
        assert not row.measured
        assert row.runs == 0
        assert row.seconds == pytest.approx(parabola(row.triangles), rel=1e-6)
        assert row.seconds_low < row.seconds < row.seconds_high  # type: ignore[operator]
        assert row.peak_bytes == pytest.approx(1000 + 50 * row.triangles, rel=1e-3)
    # uncertainty grows with the distance
    widths = [row.seconds_high / row.seconds_low for row in beyond]  # type: ignore[operator]
    assert widths[0] < widths[1]


def test_rows_without_enough_points_to_fit_are_empty() -> None:
    table = stage_rows(three_runs("a", COUNTS[:1], line), ["a", "b"], COUNTS[:2], seed=0)
    assert [(row.attention, row.measured, row.seconds is None) for row in table] == [
        ("a", True, False),
        ("a", False, True),
        ("b", False, True),
        ("b", False, True),
    ]


def test_unreported_memory_stays_unknown() -> None:
    unknown = [Measurement("a", n, (line(n), line(n)), None) for n in COUNTS[:3]]
    assert [row.peak_bytes for row in stage_rows(unknown, ["a"], COUNTS, seed=0)] == [None] * 5


def test_measured_rows_have_operation_seconds_and_floor_share() -> None:
    known = [Measurement("a", n, (line(n), line(n)), None, (0.25 * line(n), 0.5 * line(n))) for n in COUNTS[:3]]
    table = stage_rows(known, ["a"], COUNTS[:4], seed=0)
    assert table[0].operation_seconds == pytest.approx(0.375 * line(1024))
    assert table[0].floor_share == pytest.approx(0.625)
    assert (table[3].operation_seconds, table[3].floor_share) == (None, None)


def test_speedups_are_of_the_largest_count_measured_with_both() -> None:
    measured = three_runs("sdpa", COUNTS[:4], parabola) + three_runs("fast", COUNTS, line)
    table = stage_rows(measured, ["sdpa", "fast"], COUNTS, seed=0)
    found = speedups(table)
    assert found is not None
    assert found[0] == COUNTS[3]
    assert found[1] == {"fast": pytest.approx(parabola(COUNTS[3]) / line(COUNTS[3]))}
    assert speedup_sentences(table, []) == ["speed relative to softmax, the stage at 8,192 triangles: fast 2.64"]
    assert speedups(stage_rows(three_runs("fast", COUNTS, line), ["sdpa", "fast"], COUNTS, seed=0)) is None


RENDER_COUNTS = [1024, 2048, 4096, 8192, 65536]
LAYERS = 12
NAMES = ["sdpa", "performer"]


def stage_seconds(name: str, n: int) -> float:
    return 2e-4 * n + (3e-8 * n * n if name == "sdpa" else 1e-4 * n)


def view_seconds(n: int) -> float:
    return 1.5 + 2e-4 * n


def noisy(seconds: float, noise: float, seed: int) -> tuple[float, ...]:
    return tuple(float(x) for x in seconds * np.random.default_rng(seed).normal(1, noise, 5))


def stages(counts: list[int], noise: float = 0.0) -> list[Measurement]:
    return [Measurement(name, n, noisy(stage_seconds(name, n), noise, n), None) for name in NAMES for n in counts]


def renders(counts: list[int], noise: float = 0.0, names: list[str] = NAMES) -> list[Measurement]:
    points = []
    for name in names:
        for n in counts:
            views = noisy(view_seconds(n), noise, n + 1)
            layers = noisy(LAYERS * stage_seconds(name, n), noise, n + 2)
            points.append(Measurement(name, n, tuple(a + b for a, b in zip(layers, views, strict=True)), n, (), views))
    return points


def test_measured_renders_become_rows() -> None:
    table = render_rows(stages(RENDER_COUNTS), renders(RENDER_COUNTS[:2]), NAMES, RENDER_COUNTS, seed=0)
    assert [(row.attention, row.triangles) for row in table] == [(name, n) for name in NAMES for n in RENDER_COUNTS]
    for row in table:
        assert row.measured == (row.triangles in RENDER_COUNTS[:2])
        assert row.runs == (5 if row.measured else 0)
        assert row.peak_bytes == (row.triangles if row.measured else None)


@pytest.mark.parametrize("name", NAMES)
def test_unmeasured_renders_are_layers_times_the_stage_plus_a_line(name: str) -> None:
    # the stage of softmax is measured up to 8,192; its fit gives 65,536
    known = [point for point in stages(RENDER_COUNTS) if point.attention != "sdpa" or point.triangles < 65536]
    table = render_rows(known, renders(RENDER_COUNTS[:2]), NAMES, RENDER_COUNTS, seed=0)
    for row in table:
        if row.attention == name:
            truth = LAYERS * stage_seconds(name, row.triangles) + view_seconds(row.triangles)
            assert row.seconds == pytest.approx(truth, rel=1e-6)
            assert row.seconds_low == pytest.approx(truth, rel=1e-6)


def test_render_intervals_contain_the_truth_and_grow_with_the_noise() -> None:
    def widest(noise: float) -> float:
        table = render_rows(
            stages(RENDER_COUNTS, noise), renders(RENDER_COUNTS[:3], noise), NAMES, RENDER_COUNTS, seed=0
        )
        far = [row for row in table if not row.measured]
        assert len(far) == 4
        for row in far:
            truth = LAYERS * stage_seconds(row.attention, row.triangles) + view_seconds(row.triangles)
            assert row.seconds_low < row.seconds < row.seconds_high  # type: ignore[operator]
            assert row.seconds == pytest.approx(truth, rel=10 * noise)
        return max(row.seconds_high / row.seconds_low for row in far)  # type: ignore[operator]

    assert 1 < widest(0.002) < widest(0.02)


def test_renders_without_enough_points_are_empty() -> None:
    one_count = render_rows(stages(RENDER_COUNTS), renders(RENDER_COUNTS[:1]), NAMES, RENDER_COUNTS, seed=0)
    assert [row.seconds is None for row in one_count] == [row.triangles != 1024 for row in one_count]
    one_name = render_rows(
        stages(RENDER_COUNTS), renders(RENDER_COUNTS[:2], names=["sdpa"]), NAMES, RENDER_COUNTS, seed=0
    )
    assert all((row.seconds is None) == (row.attention == "performer") for row in one_name)
    assert all(row.seconds is None for row in render_rows(stages(RENDER_COUNTS), [], NAMES, RENDER_COUNTS, seed=0))


def test_cells_show_three_digits_and_mark_extrapolated_seconds() -> None:
    measured, beyond = stage_rows(three_runs("a", COUNTS[:2], line), ["a"], [1024, 4096], seed=0)
    assert seconds_cell(measured, " to ") == "1.02 (1 to 1.04)"
    assert seconds_cell(beyond, " to ") == "[4.1]"
    assert seconds_cell(stage_rows([], ["a"], [1024], seed=0)[0], "-") == "too little time"
    assert [three_digits(x) for x in (0.12345, 2.0, 123.4, 2345.6)] == ["0.123", "2", "123", "2,350"]
