"""Runs a study: measures the view-independent stage, whole renders and pictures within a budget, and writes results."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
STAGE_SHARE = 0.7  # of the rest; the remainder is for whole renders


@dataclass(frozen=True)
class Study:
    """A finished study.

    Attributes:
        results: Its results.
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
    callbacks: ProgressCallbacks = ProgressCallbacks(),
    own: "OwnScene | None" = None,
    models: Mapping[str, QualityModel] | None = None,
    leader: "Leader | None" = None,
) -> Study:
    """Measure, and write results.json, tables, figures, pictures and a report.

    Measured points are saved in unfinished.json until the study has ended. A study with the same settings in the same
    folder resumes from them.

    Args:
        settings: Settings of the study.
        seconds: Budget; the study ends before it is used up. Pictures, if requested, have QUALITY_SHARE of it.
        folder: Folder for the files.
        callbacks: Called while it measures.
        own: A scene to study in place of random ones.
        models: The models that render the pictures, if `settings.quality` requests them.
        leader: The leader of the processes that share every point, if `settings.processes` is more than 1.

    Returns:
        The results.

    Raises:
        InputError: Not a single point of the stage fitted into the budget, or the triangle counts are too small for
            pictures of random scenes.
    """
    session = _Session(settings, seconds, folder, callbacks, own, leader)
    series = _quality_series(settings, own)
    folder.mkdir(parents=True, exist_ok=True)
    session.resume()
    session.measure_stage()
    if settings.processes == 1:
        session.measure_renders()
    if settings.quality:
        assert models is not None
        session.measure_pictures(models, series)
    results = _results(settings, session.setup, session.found)
    results.write(folder / RESULTS)
    outputs = [folder / RESULTS, *write_outputs(results, folder, session.pictures)]
    session.file.unlink()
    return Study(results, outputs)


class _Session:
    """The measurements of a study: shares of the budget, and the points so far, saved after every new one."""

    def __init__(
        self,
        settings: StudySettings,
        seconds: float,
        folder: Path,
        callbacks: ProgressCallbacks,
        own: "OwnScene | None",
        leader: "Leader | None",
    ) -> None:
        self.settings, self.callbacks, self.own, self.leader = settings, callbacks, own, leader
        self.setup = _setup(settings, own)
        self.file, self.pictures = folder / UNFINISHED, folder / PICTURES
        self.found = UnfinishedStudy()
        self._names = [curve.name for curve in settings.curves()]
        self._start = time.monotonic()
        self._seconds = max(seconds - REPORT_SECONDS, seconds / 2)
        self._quality_seconds = QUALITY_SHARE * self._seconds if settings.quality else 0.0
        stage_and_renders = self._seconds - self._quality_seconds
        self._render_seconds = (1 - STAGE_SHARE) * stage_and_renders if settings.processes == 1 else 0.0

    def resume(self) -> None:
        """Take over the points of an interrupted study with the same setup, except pictures whose file is missing."""
        self.found = read_unfinished(self.file, self.setup)
        self.found.quality = [
            row
            for row in self.found.quality
            if picture_path(self.pictures, row.scene, row.triangles, row.attention, row.number).exists()
        ]
        self.callbacks.on_points(self.found.measurements)

    def measure_stage(self) -> None:
        reserved = self._quality_seconds + self._render_seconds
        for points in self._measure(None, self.leader, self.found.measurements, reserved, ""):
            self.found.measurements += points
            self._save()
            self.callbacks.on_points(self.found.measurements)
        if not self.found.measurements:
            raise InputError(
                f"`budget` did not suffice for two runs at {min(self.settings.triangles):,} triangles; "
                "raise it, or lower `triangles`."
            )

    def measure_renders(self) -> None:
        resolution = self.settings.resolution()
        for points in self._measure(resolution, None, self.found.renders, self._quality_seconds, "render by "):
            self.found.renders += points
            self._save()

    def measure_pictures(self, models: Mapping[str, QualityModel], series: "Sequence[SceneSeries]") -> None:
        self.pictures.mkdir(exist_ok=True)
        counts, finished = self.settings.triangles, list(self.found.quality)
        on_progress = self._on_progress(0.0, "")
        for row in measure_quality(models, series, counts, self._left(), self.pictures, finished, on_progress):
            self.found.quality.append(row)
            self._save()

    def _measure(
        self,
        resolution: int | None,
        leader: "Leader | None",
        finished: Sequence[Measurement],
        reserved: float,
        prefix: str,
    ) -> Iterator[list[Measurement]]:
        """New points of the stage, or with a resolution of whole renders. reserved: seconds for later measurements."""
        start = _runners(self.settings, self.own, resolution, leader)
        on_progress = self._on_progress(reserved, prefix)
        seconds = self._left() - reserved
        return time_points(start, self._names, self.settings.triangles, seconds, finished, on_progress)

    def _left(self) -> float:
        return self._seconds - (time.monotonic() - self._start)

    def _on_progress(self, reserved: float, prefix: str) -> OnProgress:
        """Adds the seconds before and after this measurement, and a prefix."""
        past = time.monotonic() - self._start
        return lambda spent, expected, event: self.callbacks.on_progress(
            past + spent, past + expected + reserved, prefix + event
        )

    def _save(self) -> None:
        write_unfinished(self.file, self.setup, self.found)


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
