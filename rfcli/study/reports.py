"""What a reader gets of a study: tables, figures and the sheet of pictures, all of them drawn from its results."""

from pathlib import Path
from typing import Any

from rfcli.study.figures import draw_figures
from rfcli.study.files import PICTURES, Results, write_csv, write_quality_csv
from rfcli.study.grid import draw_grid
from rfcli.study.quality_figure import draw_quality


def write_reports(results: Results, folder: Path, pictures: Path) -> list[Path]:
    """Write everything but results.json into `folder`; returns the paths. pictures: where the study's EXRs lie."""
    machine = machine_line(results.setup)
    outputs = [folder / "results.csv"]
    write_csv(outputs[0], results.rows)
    if results.quality:
        outputs.append(folder / "quality.csv")
        write_quality_csv(outputs[1], results.quality)
    outputs += draw_quality(folder, results.quality, machine)
    outputs += draw_figures(folder, results.rows, what_was_run(results.setup), machine)
    return outputs + draw_grid(folder / "grid.png", results.quality, pictures)


def pictures_beside(results: Path) -> Path:
    """Where the pictures of a results.json lie."""
    return results.parent / PICTURES


def what_was_run(setup: dict[str, Any]) -> str:
    """For titles."""
    return f"view-independent stage, {setup['model']} model, {setup['layers']} of {setup['model_layers']} layers"


def machine_line(setup: dict[str, Any]) -> str:
    """Where it was run, in one line."""
    where = setup["environment"]
    threads = f"{where['threads']} thread{'s' * (where['threads'] != 1)}"
    return f"{where['processor']}, {threads}, torch {where['torch']}, {where['precision']}."
