"""Writes everything that is made from the results of a study: tables, figures, the contact sheet and the report."""

from pathlib import Path
from typing import Any

from rfcli.runtime.files import legible
from rfcli.study.plots.figures import draw_cost, draw_quality
from rfcli.study.plots.grid import draw_grid
from rfcli.study.plots.report import write_report
from rfcli.study.results.files import Results, write_csv, write_quality_csv


def write_outputs(results: Results, folder: Path, pictures: Path) -> list[Path]:
    """Write all files of a study except results.json.

    Args:
        results: The results.
        folder: Folder for the files.
        pictures: Folder of the mechanisms' pictures; without it there is no contact sheet.

    Returns:
        The files.
    """
    machine, titles = machine_line(results.setup), run_titles(results.setup)
    outputs = [folder / "results.csv"]
    write_csv(outputs[0], results.rows)
    if results.renders:
        outputs.append(folder / "renders.csv")
        write_csv(outputs[-1], results.renders)
    if results.quality:
        outputs.append(folder / "quality.csv")
        write_quality_csv(outputs[-1], results.quality)
    outputs += draw_quality(folder, results.quality, results.names(), machine)
    outputs += draw_cost(folder, results.rows, results.renders, titles, machine)
    grid = draw_grid(folder / "grid.png", results.quality, pictures) if pictures.is_dir() else []
    report = write_report(folder / "report.html", results, titles, machine, grid[0] if grid else None)
    return [*outputs, *grid, report]


def run_titles(setup: dict[str, Any]) -> tuple[str, str]:
    """Descriptions of the runs for titles: of the stage and of whole renders."""
    own = setup.get("scene")
    scene, model = f", {legible(own['file'])}" if own else "", legible(setup["model"])
    layers, pixels = f"{setup['layers']} of {setup['model_layers']} layers", setup.get("pixels")
    return (
        f"view-independent stage, {model} model, {layers}{scene}",
        f"whole render, {model} model, {pixels} x {pixels} pixels{scene}",
    )


def machine_line(setup: dict[str, Any]) -> str:
    """Description of the machine in one line."""
    where = setup["environment"]
    threads = f"{where['threads']} thread{'s' * (where['threads'] != 1)}"
    processes = f"{setup['processes']} processes of " if setup.get("processes", 1) > 1 else ""
    return f"{where['processor']}, {processes}{threads}, torch {where['torch']}, {where['precision']}."
