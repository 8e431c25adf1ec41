"""What a reader gets of a study: tables, figures, the sheet of pictures and the page, all drawn from its results."""

from pathlib import Path
from typing import Any

from rfcli.study.plots.cost import draw_figures
from rfcli.study.plots.grid import draw_grid
from rfcli.study.plots.quality import draw_quality
from rfcli.study.plots.report import write_report
from rfcli.study.results.files import PICTURES, Results, write_csv, write_quality_csv


def write_reports(results: Results, folder: Path, pictures: Path) -> list[Path]:
    """Write everything but results.json into `folder`; returns the paths. pictures: where the study's EXRs lie;
    where there is no such folder, there is no sheet of them."""
    machine = machine_line(results.setup)
    outputs = [folder / "results.csv"]
    write_csv(outputs[0], results.rows)
    if results.renders:
        outputs.append(folder / "renders.csv")
        write_csv(outputs[-1], results.renders)
    if results.quality:
        outputs.append(folder / "quality.csv")
        write_quality_csv(outputs[-1], results.quality)
    outputs += draw_quality(folder, results.quality, results.names(), machine)
    what = what_was_run(results.setup)
    outputs += draw_figures(folder, results.rows, results.renders, what, machine)
    grid = draw_grid(folder / "grid.png", results.quality, pictures) if pictures.is_dir() else []
    report = write_report(folder / "report.html", results, what, machine, grid[0] if grid else None)
    return [*outputs, *grid, report]


def pictures_beside(results: Path) -> Path:
    """Where the pictures of a results.json lie."""
    return results.parent / PICTURES


def what_was_run(setup: dict[str, Any]) -> tuple[str, str]:
    """For titles: of the stage and of whole renders."""
    own = setup.get("scene")
    scene = f", {own['file']}" if own else ""
    layers, pixels = f"{setup['layers']} of {setup['model_layers']} layers", setup.get("pixels")
    return (
        f"view-independent stage, {setup['model']} model, {layers}{scene}",
        f"whole render, {setup['model']} model, {pixels} x {pixels} pixels{scene}",
    )


def machine_line(setup: dict[str, Any]) -> str:
    """Where it was run, in one line."""
    where = setup["environment"]
    threads = f"{where['threads']} thread{'s' * (where['threads'] != 1)}"
    processes = f"{setup['processes']} processes of " if setup.get("processes", 1) > 1 else ""
    return f"{where['processor']}, {processes}{threads}, torch {where['torch']}, {where['precision']}."
