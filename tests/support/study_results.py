"""A study that nobody measured."""

from functools import cache
from typing import Any

from rfcli.study.environment import environment
from rfcli.study.quality import QualityRow
from rfcli.study.results.files import Results
from rfcli.study.results.measurement import Measurement
from rfcli.study.results.tables import crossing_intervals, crossings, growth, render_rows, rows


def made_up_setup() -> dict[str, Any]:
    """Of a study of the tiny model."""
    return {
        "model": "tiny",
        "layers": 1,
        "model_layers": 4,
        "pixels": 64,
        "device": "cpu",
        "environment": environment("cpu"),
    }


@cache
def made_up_study() -> Results:
    """Two mechanisms, measured at two counts of three, and their pictures; its intervals take a second once."""
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
        {**made_up_setup(), "scene": {"file": "heap.h5"}},
        rows(points, names, counts, 0),
        render_rows(points, [], names, counts, 0),
        growth(points, names, 0),
        crossings(points, names),
        pictures,
        points,
        [],
        crossing_intervals(points, names, 0),
    )
