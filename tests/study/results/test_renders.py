"""Whole renders whose parts are known: what was not measured follows from what was."""

import numpy as np
import pytest

from rfcli.study.results.measurement import Measurement
from rfcli.study.results.tables import render_rows

COUNTS = [1024, 2048, 4096, 8192, 65536]
LAYERS = 12
NAMES = ["sdpa", "performer"]


def stage(name: str, n: int) -> float:
    return 2e-4 * n + (3e-8 * n * n if name == "sdpa" else 1e-4 * n)


def view(n: int) -> float:
    return 1.5 + 2e-4 * n


def noisy(seconds: float, noise: float, seed: int) -> tuple[float, ...]:
    return tuple(float(x) for x in seconds * np.random.default_rng(seed).normal(1, noise, 5))


def stages(counts: list[int], noise: float = 0.0) -> list[Measurement]:
    return [Measurement(name, n, noisy(stage(name, n), noise, n), None) for name in NAMES for n in counts]


def renders(counts: list[int], noise: float = 0.0, names: list[str] = NAMES) -> list[Measurement]:
    points = []
    for name in names:
        for n in counts:
            views = noisy(view(n), noise, n + 1)
            layers = noisy(LAYERS * stage(name, n), noise, n + 2)
            points.append(Measurement(name, n, tuple(a + b for a, b in zip(layers, views, strict=True)), n, (), views))
    return points


def test_measured_renders_are_rows_of_their_own() -> None:
    table = render_rows(stages(COUNTS), renders(COUNTS[:2]), NAMES, COUNTS, seed=0)
    assert [(row.attention, row.triangles) for row in table] == [(name, n) for name in NAMES for n in COUNTS]
    for row in table:
        assert row.measured == (row.triangles in COUNTS[:2])
        assert row.runs == (5 if row.measured else 0)
        assert row.peak_bytes == (row.triangles if row.measured else None)


@pytest.mark.parametrize("name", NAMES)
def test_others_are_layers_times_the_stage_and_a_line(name: str) -> None:
    # the stage of softmax is measured up to 8,192: at 65,536 its fit has to serve
    known = [point for point in stages(COUNTS) if point.attention != "sdpa" or point.triangles < 65536]
    table = render_rows(known, renders(COUNTS[:2]), NAMES, COUNTS, seed=0)
    for row in table:
        if row.attention == name:
            truth = LAYERS * stage(name, row.triangles) + view(row.triangles)
            assert row.seconds == pytest.approx(truth, rel=1e-6)
            assert row.seconds_low == pytest.approx(truth, rel=1e-6)


def test_intervals_hold_the_truth_and_grow_with_the_noise() -> None:
    def widest(noise: float) -> float:
        table = render_rows(stages(COUNTS, noise), renders(COUNTS[:3], noise), NAMES, COUNTS, seed=0)
        far = [row for row in table if not row.measured]
        assert len(far) == 4
        for row in far:
            truth = LAYERS * stage(row.attention, row.triangles) + view(row.triangles)
            assert row.seconds_low < row.seconds < row.seconds_high  # type: ignore[operator]
            assert row.seconds == pytest.approx(truth, rel=10 * noise)
        return max(row.seconds_high / row.seconds_low for row in far)  # type: ignore[operator]

    assert 1 < widest(0.002) < widest(0.02)


def test_too_little_gives_no_number() -> None:
    one_count = render_rows(stages(COUNTS), renders(COUNTS[:1]), NAMES, COUNTS, seed=0)
    assert [row.seconds is None for row in one_count] == [row.triangles != 1024 for row in one_count]
    one_name = render_rows(stages(COUNTS), renders(COUNTS[:2], names=["sdpa"]), NAMES, COUNTS, seed=0)
    assert all((row.seconds is None) == (row.attention == "performer") for row in one_name)
    assert all(row.seconds is None for row in render_rows(stages(COUNTS), [], NAMES, COUNTS, seed=0))
