"""The triangle-count study: what each attention mechanism costs, and what its pictures are worth."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfcli.errors import InputError
from rfcli.study.environment import environment
from rfcli.study.measure.point import Point, PointProcess
from rfcli.study.measure.timing import Report, Runner, time_points
from rfcli.study.plots.all import write_reports
from rfcli.study.quality import QualityModel, QualityRow, measure_quality, picture_path
from rfcli.study.results.files import (
    PICTURES,
    RESULTS,
    UNFINISHED,
    Findings,
    Results,
    read_unfinished,
    write_unfinished,
)
from rfcli.study.results.measurement import Measurement
from rfcli.study.results.tables import Row, crossing_intervals, crossings, growth, render_rows, rows
from rfcli.study.settings import StudySettings

if TYPE_CHECKING:
    from rfcli.study.measure.distributed_point import Leader
    from rfcli.study.scenes.series import OwnScene

FINISHING = 20.0  # seconds for fits, figures and the page
PICTURES_SHARE = 0.4  # of the time, where quality is asked for
STAGE_SHARE = 0.7  # of the rest; whole renders have what is left of it


@dataclass(frozen=True)
class Study:
    """Results of a study and the files that hold them."""

    results: Results
    outputs: list[Path]


@dataclass(frozen=True)
class Watch:
    """Who looks on. report: called before every run. points: called with all points of the stage that are measured,
    whenever there are new ones."""

    report: Report = lambda spent, expected, event: None
    points: Callable[[Sequence[Measurement]], None] = lambda points: None


def run_study(
    settings: StudySettings,
    seconds: float,
    folder: Path,
    watch: Watch,
    own: "OwnScene | None" = None,
    models: Mapping[str, QualityModel] | None = None,
    leader: "Leader | None" = None,
) -> Study:
    """Measure, fit and write results.json, tables, figures and pictures into `folder`.

    seconds: the study ends before they are over; PICTURES_SHARE of them go to the pictures where quality is asked for.
    own: the scene to study in place of random ones. models: by which pictures are drawn, where quality is asked for.
    leader: of the processes that share every point, where the settings say that there are several.
    Points of an interrupted study of the same settings in the same folder are taken over; they stand in
    unfinished.json until the study has ended.
    Raises InputError where not a single point of the stage fitted.
    """
    begun = time.monotonic()
    measuring = max(seconds - FINISHING, seconds / 2)
    folder.mkdir(parents=True, exist_ok=True)
    setup = _setup(settings, own)
    unfinished, pictures = folder / UNFINISHED, folder / PICTURES
    found = read_unfinished(unfinished, setup)
    found.quality = [
        row
        for row in found.quality
        if picture_path(pictures, row.scene, row.triangles, row.attention, row.number).exists()
    ]

    def left(reserved: float = 0.0) -> float:
        return measuring - reserved - (time.monotonic() - begun)

    def report(reserved: float, what: str = "") -> Report:
        past = time.monotonic() - begun
        return lambda spent, expected, event: watch.report(past + spent, past + expected + reserved, what + event)

    grid = [variant.name for variant in settings.variants()], settings.triangles
    for_pictures = PICTURES_SHARE * measuring if settings.quality else 0.0
    for_renders = (1 - STAGE_SHARE) * (measuring - for_pictures) if settings.processes == 1 else 0.0
    later = for_pictures + for_renders
    watch.points(found.measurements)
    starter = _starter(settings, own, None, leader)
    for points in time_points(starter, *grid, left(later), found.measurements, report(later)):
        found.measurements += points
        write_unfinished(unfinished, setup, found)
        watch.points(found.measurements)
    if not found.measurements:
        raise InputError(
            f"--budget did not suffice for two runs at {min(settings.triangles):,} triangles; "
            "raise it, or lower --triangles."
        )
    starter = _starter(settings, own, settings.pixels(), None)
    telling = report(for_pictures, "render by ")
    of_renders = grid if settings.processes == 1 else ([], [])
    for points in time_points(starter, *of_renders, left(for_pictures), found.renders, telling):
        found.renders += points
        write_unfinished(unfinished, setup, found)
    if settings.quality:
        assert models is not None
        for row in _pictures(settings, own, models, left(), pictures, found.quality, report(0.0)):
            found.quality.append(row)
            write_unfinished(unfinished, setup, found)
    results = _results(settings, setup, found)
    results.write(folder / RESULTS)
    outputs = [folder / RESULTS, *write_reports(results, folder, pictures)]
    unfinished.unlink()
    return Study(results, outputs)


def _setup(settings: StudySettings, own: "OwnScene | None") -> dict[str, Any]:
    return {
        **asdict(settings),
        "model_layers": settings.architecture().num_layers,
        "pixels": settings.pixels(),
        "scene": own.facts() if own else None,
        "environment": environment(settings.device, [variant.precision for variant in settings.variants()]),
    }


def _starter(
    settings: StudySettings, own: "OwnScene | None", pixels: int | None, leader: "Leader | None"
) -> Callable[[str, int], Runner]:
    """Makes the runners of points: of the stage, or, with pixels, of whole renders."""
    curves = {variant.name: variant for variant in settings.variants()}

    def start(name: str, triangles: int) -> Runner:
        curve = curves[name]
        point = Point(
            settings.stage(curve.attention) if pixels is None else settings.whole(curve.attention),
            triangles,
            settings.seed,
            settings.device,
            own.at(triangles) if own else None,
            pixels,
            curve.kernel,
            curve.precision,
            settings.processes,
        )
        return leader.point(point) if leader else PointProcess(point)

    return start


def _pictures(
    settings: StudySettings,
    own: "OwnScene | None",
    models: Mapping[str, QualityModel],
    seconds: float,
    folder: Path,
    finished: Sequence[QualityRow],
    report: Report,
) -> Iterator[QualityRow]:
    """The rows that are still missing."""
    from rfcli.study.scenes.series import own_series, synthetic_series  # the path tracer: only quality needs it

    assert settings.quality
    folder.mkdir(exist_ok=True)
    asked, counts = settings.quality, settings.triangles
    if own:
        series = own_series(own, asked.resolution, asked.samples)
    else:
        series = synthetic_series(counts, settings.seed, asked.resolution, asked.samples)
    yield from measure_quality(models, series, counts, seconds, folder, list(finished), report)


def _results(settings: StudySettings, setup: dict[str, Any], found: Findings) -> Results:
    """All that can be said of the findings."""
    curves = settings.variants()
    names, counts, seed = [curve.name for curve in curves], settings.triangles, settings.seed
    precision = {curve.name: curve.precision for curve in curves}

    def told(some: Sequence[Row]) -> list[Row]:
        return [replace(row, precision=precision[row.attention]) for row in some]

    return Results(
        setup,
        told(rows(found.measurements, names, counts, seed)),
        told(render_rows(found.measurements, found.renders, names, counts, seed)) if settings.processes == 1 else [],
        growth(found.measurements, names, seed),
        crossings(found.measurements, names),
        found.quality,
        found.measurements,
        found.renders,
        crossing_intervals(found.measurements, names, seed),
    )
