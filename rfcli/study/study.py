"""The triangle-count study: what each attention mechanism costs, and what its pictures are worth."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rfcli.errors import InputError
from rfcli.study.environment import environment
from rfcli.study.files import PICTURES, RESULTS, UNFINISHED, Results, read_unfinished, write_unfinished
from rfcli.study.point_process import Point, PointProcess
from rfcli.study.quality import QualityRow, measure_quality, picture_path
from rfcli.study.quality_models import quality_models
from rfcli.study.reports import write_reports
from rfcli.study.results import crossing_intervals, crossings, growth, rows
from rfcli.study.settings import StudySettings
from rfcli.study.timing import Report, time_points

FINISHING = 15.0  # seconds for fits, figures and the page


@dataclass(frozen=True)
class Study:
    """Results of a study and the files that hold them."""

    results: Results
    outputs: list[Path]


def run_study(settings: StudySettings, seconds: float, folder: Path, report: Report) -> Study:
    """Measure, fit and write results.json, tables, figures and pictures into `folder`.

    seconds: the study ends before they are over; half of them go to the pictures where quality is asked for. report:
    called before every run. Points of an interrupted study of the same settings in the same folder are taken over;
    they stand in unfinished.json until the study has ended.
    Raises InputError where not a single point fitted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    setup: dict[str, Any] = {**asdict(settings), "model_layers": settings.architecture().num_layers}
    setup["environment"] = environment(settings.device)
    unfinished = folder / UNFINISHED
    measurements, judged = read_unfinished(unfinished, setup)
    pictures = folder / PICTURES
    quality = [row for row in judged if picture_path(pictures, row.scene, row.triangles, row.attention).exists()]

    def start(attention: str, triangles: int) -> PointProcess:
        return PointProcess(Point(settings.stage(attention), triangles, settings.seed, settings.device))

    measuring = max(seconds - FINISHING, seconds / 2)
    timing = measuring / 2 if settings.quality else measuring
    for points in time_points(start, settings.attentions, settings.triangles, timing, measurements, report):
        measurements += points
        write_unfinished(unfinished, setup, measurements, quality)
    if not measurements:
        raise InputError(
            f"--budget did not suffice for two runs at {min(settings.triangles):,} triangles; "
            "raise it, or lower --triangles."
        )
    if settings.quality:
        for row in _pictures(settings, measuring / 2, pictures, quality, report):
            quality.append(row)
            write_unfinished(unfinished, setup, measurements, quality)
    results = Results(
        setup,
        rows(measurements, settings.attentions, settings.triangles, settings.seed),
        growth(measurements, settings.attentions, settings.seed),
        crossings(measurements, settings.attentions),
        quality,
        measurements,
        crossing_intervals(measurements, settings.attentions, settings.seed),
    )
    results.write(folder / RESULTS)
    outputs = [folder / RESULTS, *write_reports(results, folder, pictures)]
    unfinished.unlink()
    return Study(results, outputs)


def _pictures(
    settings: StudySettings, seconds: float, folder: Path, finished: list[QualityRow], report: Report
) -> Iterator[QualityRow]:
    """The rows that are still missing."""
    from rfcli.study.scene_series import synthetic_series  # the path tracer: a study of time alone does without it

    assert settings.quality
    folder.mkdir(exist_ok=True)
    asked = settings.quality
    models = quality_models(asked.model, asked.twins, settings.attentions, settings.keys, settings.device)
    series = synthetic_series(settings.triangles, settings.seed, asked.resolution, asked.samples)
    yield from measure_quality(models, series, settings.triangles, seconds, folder, list(finished), report)
