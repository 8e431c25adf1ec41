"""The triangle-count study: what the view-independent stage costs with each attention mechanism."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rfcli.errors import InputError
from rfcli.study.environment import environment
from rfcli.study.figures import draw_figures
from rfcli.study.files import UNFINISHED, read_unfinished, write_csv, write_json
from rfcli.study.measurement import Measurement
from rfcli.study.point_process import Point, PointProcess
from rfcli.study.results import Row, crossings, growth, rows
from rfcli.study.settings import StudySettings
from rfcli.study.timing import Report, time_points

FINISHING = 8.0  # seconds for fits and figures


@dataclass(frozen=True)
class Study:
    """Results of a study and the files that hold them."""

    rows: list[Row]
    fits: dict[str, dict[str, Any]]
    crossings: dict[str, int | None]
    outputs: list[Path]


def run_study(settings: StudySettings, seconds: float, folder: Path, report: Report) -> Study:
    """Measure, fit and write results.json, results.csv and the figures into `folder`.

    seconds: the study ends before they are over. report: called before every run. Points of an interrupted study of
    the same settings in the same folder are taken over; they stand in unfinished.json until the study has ended.
    Raises InputError where not a single point fitted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    setup = {**asdict(settings), "model_layers": settings.architecture().num_layers}
    setup["environment"] = environment(settings.device)
    unfinished = folder / UNFINISHED
    measurements = read_unfinished(unfinished, setup)

    def start(attention: str, triangles: int) -> PointProcess:
        return PointProcess(Point(settings.stage(attention), triangles, settings.seed, settings.device))

    measuring = max(seconds - FINISHING, seconds / 2)
    for points in time_points(start, settings.attentions, settings.triangles, measuring, measurements, report):
        measurements += points
        write_json(unfinished, {"setup": setup, "measurements": [asdict(point) for point in measurements]})
    if not measurements:
        raise InputError(
            f"--budget did not suffice for two runs at {min(settings.triangles):,} triangles; "
            "raise it, or lower --triangles."
        )
    study = _conclude(settings, setup, measurements, folder)
    unfinished.unlink()
    return study


def _conclude(settings: StudySettings, setup: dict[str, Any], measured: list[Measurement], folder: Path) -> Study:
    table = rows(measured, settings.attentions, settings.triangles, settings.seed)
    exponents = growth(measured, settings.attentions, settings.seed)
    overtakings = crossings(measured, settings.attentions)
    results = {
        **setup,
        "rows": [asdict(row) for row in table],
        "fits": exponents,
        "crossings": overtakings,
        "measurements": [asdict(point) for point in measured],
    }
    write_json(folder / "results.json", results)
    write_csv(folder / "results.csv", table)
    where = setup["environment"]
    title = f"view-independent stage, {settings.model} model, {settings.layers} of {setup['model_layers']} layers"
    threads = f"{where['threads']} thread{'s' * (where['threads'] != 1)}"
    machine = f"{where['processor']}, {threads}, torch {where['torch']}, {where['precision']}."
    drawn = draw_figures(folder, table, title, machine)
    return Study(table, exponents, overtakings, [folder / "results.json", folder / "results.csv", *drawn])
