"""Runs a study: measures the view-independent stage, whole renders and pictures within a budget, and writes results."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfcli.attention import mechanisms
from rfcli.errors import InputError
from rfcli.study.environment import environment
from rfcli.study.measure import OnProgress, Point, PointProcess, Runner, time_points
from rfcli.study.plots.outputs import write_outputs
from rfcli.study.quality import QualityModel, measure_quality
from rfcli.study.results import Measurement, Row, crossing_intervals, crossings, growth, render_rows, stage_rows
from rfcli.study.results.files import (
    PICTURES,
    RESULTS,
    UNFINISHED,
    Results,
    UnfinishedStudy,
    read_unfinished,
    write_unfinished,
)
from rfcli.study.results.quality import picture_path
from rfcli.study.settings import StudySettings

if TYPE_CHECKING:
    from rfcli.study.measure import Leader
    from rfcli.study.scenes import OwnScene, SceneSeries

REPORT_SECONDS = 20.0  # reserved for fits, figures and the report
QUALITY_SHARE = 0.4  # of the measuring time, if pictures are requested
STAGE_SHARE = 0.7  # of the rest; whole renders have what is left


@dataclass(frozen=True)
class Study:
    """A finished study.

    Attributes:
        results: What it found.
        outputs: The files it has written.
    """

    results: Results
    outputs: list[Path]


@dataclass(frozen=True)
class ProgressCallbacks:
    """Functions that `run_study` calls while it measures.

    Attributes:
        on_progress: Called before every run with the seconds spent, the seconds expected in all and the current work.
        on_points: Called with all measured points of the stage, whenever there are new ones.
    """

    on_progress: OnProgress = lambda spent, expected, event: None
    on_points: Callable[[Sequence[Measurement]], None] = lambda points: None


def run_study(
    settings: StudySettings,
    seconds: float,
    folder: Path,
    callbacks: ProgressCallbacks,
    own: "OwnScene | None" = None,
    models: Mapping[str, QualityModel] | None = None,
    leader: "Leader | None" = None,
) -> Study:
    """Measure, and write results.json, tables, figures, pictures and a report.

    Measured points are saved in unfinished.json until the study has ended. A study with the same settings in the same
    folder resumes from them.

    Args:
        settings: What is measured.
        seconds: Budget; the study ends before it is used up. Pictures, if requested, have QUALITY_SHARE of it.
        folder: Where the files are written.
        callbacks: Called while it measures.
        own: A scene to study in place of random ones.
        models: The models that render the pictures, if `settings.quality` requests them.
        leader: Of the processes that share every point, if `settings.processes` is more than 1.

    Returns:
        The results.

    Raises:
        InputError: Not a single point of the stage fitted into the budget, or the triangle counts are too small for
            pictures of random scenes.
    """
    start = time.monotonic()
    measuring = max(seconds - REPORT_SECONDS, seconds / 2)
    series = _quality_series(settings, own)
    folder.mkdir(parents=True, exist_ok=True)
    setup = _setup(settings, own)
    file, pictures = folder / UNFINISHED, folder / PICTURES
    found = read_unfinished(file, setup)
    found.quality = [
        row
        for row in found.quality
        if picture_path(pictures, row.scene, row.triangles, row.attention, row.number).exists()
    ]

    def left(reserved: float = 0.0) -> float:
        return measuring - reserved - (time.monotonic() - start)

    def progress(reserved: float, prefix: str = "") -> OnProgress:
        past = time.monotonic() - start
        return lambda spent, expected, event: callbacks.on_progress(
            past + spent, past + expected + reserved, prefix + event
        )

    names = [curve.name for curve in settings.curves()]
    quality_seconds = QUALITY_SHARE * measuring if settings.quality else 0.0
    render_seconds = (1 - STAGE_SHARE) * (measuring - quality_seconds) if settings.processes == 1 else 0.0

    callbacks.on_points(found.measurements)
    later = quality_seconds + render_seconds
    runners = _runners(settings, own, None, leader)
    for points in time_points(runners, names, settings.triangles, left(later), found.measurements, progress(later)):
        found.measurements += points
        write_unfinished(file, setup, found)
        callbacks.on_points(found.measurements)
    if not found.measurements:
        raise InputError(
            f"`budget` did not suffice for two runs at {min(settings.triangles):,} triangles; "
            "raise it, or lower `triangles`."
        )
    if settings.processes == 1:
        runners = _runners(settings, own, settings.resolution(), None)
        on_progress = progress(quality_seconds, "render by ")
        for points in time_points(
            runners, names, settings.triangles, left(quality_seconds), found.renders, on_progress
        ):
            found.renders += points
            write_unfinished(file, setup, found)
    if settings.quality:
        assert models is not None
        pictures.mkdir(exist_ok=True)
        finished = list(found.quality)
        for row in measure_quality(models, series, settings.triangles, left(), pictures, finished, progress(0.0)):
            found.quality.append(row)
            write_unfinished(file, setup, found)
    results = _results(settings, setup, found)
    results.write(folder / RESULTS)
    outputs = [folder / RESULTS, *write_outputs(results, folder, pictures)]
    file.unlink()
    return Study(results, outputs)


def _setup(settings: StudySettings, own: "OwnScene | None") -> dict[str, Any]:
    """Settings and environment, as results.json has them; each option of a mechanism is also a field of its own."""
    declared = {option.name: None for mechanism in mechanisms() for option in mechanism.options}
    given = {name: value for options in settings.options.values() for name, value in options.items()}
    return {
        **declared,
        **given,
        **asdict(settings),
        "model_layers": settings.architecture().num_layers,
        "pixels": settings.resolution(),
        "scene": own.facts() if own else None,
        "environment": environment(settings.device, [curve.precision for curve in settings.curves()]),
    }


def _quality_series(settings: StudySettings, own: "OwnScene | None") -> "list[SceneSeries]":
    """The scenes of the pictures, if pictures are requested."""
    if settings.quality is None:
        return []
    from rfcli.study.scenes import own_series, synthetic_series  # the path tracer takes a second to import

    size = settings.quality.resolution, settings.quality.samples
    return own_series(own, *size) if own else synthetic_series(settings.triangles, settings.seed, *size)


def _runners(
    settings: StudySettings, own: "OwnScene | None", resolution: int | None, leader: "Leader | None"
) -> Callable[[str, int], Runner]:
    """Creates the runner of a curve at a triangle count: of the stage, or with a resolution of whole renders."""
    curves = {curve.name: curve for curve in settings.curves()}

    def start(name: str, triangles: int) -> Runner:
        curve = curves[name]
        point = Point(
            settings.stage(curve.attention) if resolution is None else settings.whole_model(curve.attention),
            triangles,
            settings.seed,
            settings.device,
            own.at(triangles) if own else None,
            resolution,
            curve.kernel,
            curve.precision,
            settings.processes,
        )
        return leader.point(point) if leader else PointProcess(point)

    return start


def _results(settings: StudySettings, setup: dict[str, Any], found: UnfinishedStudy) -> Results:
    """Tables, fits and crossings of everything that was measured."""
    curves = settings.curves()
    names, counts, seed = [curve.name for curve in curves], settings.triangles, settings.seed
    precision = {curve.name: curve.precision for curve in curves}

    def with_precision(table: Sequence[Row]) -> list[Row]:
        return [replace(row, precision=precision[row.attention]) for row in table]

    renders = render_rows(found.measurements, found.renders, names, counts, seed) if settings.processes == 1 else []
    return Results(
        setup,
        with_precision(stage_rows(found.measurements, names, counts, seed)),
        with_precision(renders),
        growth(found.measurements, names, seed),
        crossings(found.measurements, names),
        found.quality,
        found.measurements,
        found.renders,
        crossing_intervals(found.measurements, names, seed),
    )
