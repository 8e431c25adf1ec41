"""The notebook runs from its first to its last cell, as a newcomer runs it, and is saved as it was run."""

import base64
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOK = EXAMPLES / "renderformer.ipynb"
MAX_BYTES = 2_000_000  # of the saved notebook, with its pictures
PICTURES = 8


def cells(notebook: Any, kind: str) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def pictures(notebook: Any) -> list[np.ndarray]:
    outputs = [output for cell in cells(notebook, "code") for output in cell.outputs if "data" in output]
    found = [output["data"]["image/png"] for output in outputs if "image/png" in output["data"]]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))) for content in found]


def text(notebook: Any) -> str:
    outputs = [output for cell in cells(notebook, "code") for output in cell.outputs]
    return "\n".join(json.dumps(output) for output in outputs)


@pytest.fixture(scope="module")
def saved() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.mark.slow
def test_all_cells_run_with_small_sizes(tmp_path: Path, saved: Any) -> None:
    for path in (EXAMPLES / "cornell-box.json", EXAMPLES / "meshes"):
        (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    (parameters,) = (cell for cell in cells(saved, "code") if "parameters" in cell.metadata.get("tags", ()))
    assert "QUICK = False" in parameters.source
    notebook = nbformat.from_dict(saved)
    for cell in cells(notebook, "code"):
        cell.source = cell.source.replace("QUICK = False", "QUICK = True")
        cell.outputs = []
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = pictures(notebook)
    assert len(shown) == PICTURES
    assert all(np.ptp(picture) > 100 for picture in shown)
    made = tmp_path / "guide"
    for name in ("cornell-box.exr", "data/dataset.json", "runs/train/model.safetensors", "bench/results.json"):
        assert (made / name).is_file()
    assert json.loads((made / "runs/finetune/config.json").read_text())["attention"] == "performer"


def test_saved_outputs_are_those_of_one_run_without_errors(saved: Any) -> None:
    assert NOTEBOOK.stat().st_size < MAX_BYTES
    code = cells(saved, "code")
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    shown = pictures(saved)
    assert len(shown) == PICTURES
    assert all(np.ptp(picture) > 100 for picture in shown)


def test_saved_outputs_name_no_machine(saved: Any) -> None:
    assert not re.search(r"/(home|root|Users|tmp)/", text(saved))


def test_badge_and_installation_are_of_one_repository(saved: Any) -> None:
    source = "\n".join(cell.source for cell in saved.cells)
    (badge,) = re.findall(r"colab\.research\.google\.com/github/([\w-]+/[\w-]+)/blob/main/([\w/.-]+)", source)
    (cloned,) = re.findall(r"git clone .* https://github\.com/([\w-]+/[\w-]+)", source)
    assert badge == (cloned, NOTEBOOK.relative_to(EXAMPLES.parent).as_posix())
    assert cloned in (EXAMPLES.parent / "README.md").read_text()
