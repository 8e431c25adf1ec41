"""Results of an invented study."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from rfcli.study.environment import environment
from rfcli.study.results import (
    Measurement,
    QualityRow,
    Results,
    crossing_intervals,
    crossings,
    growth,
    render_rows,
    stage_rows,
)


def invented_setup() -> dict[str, Any]:
    """The setup of a study of the tiny model."""
    return {
        "model": "tiny",
        "layers": 1,
        "model_layers": 4,
        "pixels": 64,
        "device": "cpu",
        "environment": environment("cpu"),
    }


@cache
def invented_results() -> Results:
    """Two mechanisms, measured at two of three counts, and their pictures. Its intervals take a second, once."""
    points = [
        Measurement(name, n, tuple(share * n * x for x in (1e-3, 1.01e-3, 1.02e-3)), n, (1e-4,) * 3)
        for name, share in (("sdpa", 1.0), ("performer", 0.5))
        for n in (128, 256)
    ]
    names, counts = ["sdpa", "performer"], (128, 256, 512)
    pictures = [
        QualityRow("heap", 128, "sdpa", "tiny", True, 0.5, {"psnr": 20.0, "flip": 0.1}, None),
        QualityRow("heap", 128, "performer", "tiny", False, 0.5, {"psnr": 19.0, "flip": 0.2}, {"psnr": 30.0}),
    ]
    return Results(
        {**invented_setup(), "scene": {"file": "heap.h5"}},
        stage_rows(points, names, counts, 0),
        render_rows(points, [], names, counts, 0),
        growth(points, names, 0),
        crossings(points, names),
        pictures,
        points,
        [],
        crossing_intervals(points, names, 0),
    )


def three_runs(
    attention: str, counts: Sequence[int], seconds: Callable[[int], float], spread: float = 0.02
) -> list[Measurement]:
    """Points of three runs each: seconds(n), and a share `spread` less and more."""
    return [
        Measurement(attention, n, tuple(seconds(n) * (1 + spread * step) for step in (-1, 0, 1)), 1000 + 50 * n)
        for n in counts
    ]
