"""The recipes of the bundled models, as `rf train --config` reads them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import rfcli
from rfcli.cli.app import app
from rfcli.model import PRESETS
from rfcli.model.checkpoint import save_checkpoint
from rfcli.training.initialise import new_model

RECIPES = sorted(
    (Path(rfcli.__file__).parent / "weights").glob("*/recipe/*.yaml"),
    key=lambda file: (file.parent.parent.name, int(file.stem.split("-")[0])),
)


@pytest.fixture(scope="module")
def first_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "first"
    save_checkpoint(new_model(PRESETS["tiny"], 0), folder, "")
    return folder


def test_every_run_has_its_recipe() -> None:
    assert [f"{file.parent.parent.name}/{file.stem}" for file in RECIPES] == [
        "rf-tiny/1-train",
        *(f"rf-tiny/{number}-finetune" for number in range(2, 11)),
        "rf-tiny-performer/1-finetune",
    ]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda file: f"{file.parent.parent.name}/{file.stem}")
def test_a_recipe_needs_only_its_data(recipe: Path, first_model: Path, tmp_path: Path) -> None:
    command = recipe.stem.split("-")[1]
    arguments = ["--config", str(recipe), "--data", str(tmp_path / "none"), "--out", str(tmp_path / "run")]
    arguments += ["--from", str(first_model)] if command == "finetune" else []
    result = CliRunner().invoke(app, [command, *arguments])
    assert result.exit_code == 2
    assert "holds no scenes" in " ".join(result.output.split())
