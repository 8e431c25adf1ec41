"""`--config`: options from a file."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.support.cli_demo import app


def demo(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["demo", "--json", *arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "options.yaml"


def asked(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout.splitlines()[-1])["asked"])  # libraries print before


def test_every_kind_of_option_comes_from_the_file(file: Path) -> None:
    file.write_text(
        "# a comment\nsteps: 3\ntriangles: [1k, 4k]\nrate: 1e-4\ndenoise: false\nname: [a, b]\nseed: 7\nend:\n"
    )
    assert asked(demo("--config", str(file))) == {
        "steps": 3,
        "triangles": "1k,4k",
        "rate": 1e-4,
        "denoise": False,
        "names": ["a", "b"],
        "seed": 7,
    }


def test_the_command_line_takes_precedence_in_any_order(file: Path) -> None:
    file.write_text("steps: 3\nseed: 7\ndenoise: false\n")
    for arguments in (
        ("--steps", "5", "--config", str(file), "--denoise"),
        ("--config", str(file), "--denoise", "--steps", "5"),
    ):
        result = asked(demo(*arguments))
        assert (result["steps"], result["seed"], result["denoise"]) == (5, 7, True)


def test_flags_and_numbers_for_options_of_text(file: Path) -> None:
    file.write_text("json: true\ntriangles: 4096\nname: one\n")
    result = CliRunner().invoke(app, ["demo", "--config", str(file)])
    assert asked(result)["triangles"] == "4096"
    assert asked(result)["names"] == ["one"]


def test_an_empty_file_changes_nothing(file: Path) -> None:
    file.write_text("")
    assert asked(demo("--config", str(file))) == asked(demo())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("colour: red", ["options.yaml", "'colour'", "rf demo", "triangles"]),
        ("config: other.yaml", ["'config'"]),
        ("steps: many", ["--steps", "integer"]),
        ("steps: 0", ["--steps"]),
        ("device: abacus", ["--device", "abacus"]),
        ("steps: {a: 1}", ["options.yaml", "'steps'"]),
        ("- steps", ["options.yaml", "option: value"]),
        ("steps: [", ["options.yaml", "YAML"]),
        ("!!python/object/apply:os.system [echo hacked]", ["options.yaml", "YAML"]),
    ],
)
def test_invalid_files_are_one_sentence(file: Path, content: str, words: list[str]) -> None:
    file.write_text(content)
    result = demo("--config", str(file))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr
    assert "hacked" not in result.stdout


def test_a_missing_or_binary_file(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(bytes(range(256)))
    for path in (tmp_path / "absent.yaml", tmp_path, tmp_path / "picture"):
        result = demo("--config", str(path))
        assert result.exit_code == 2
        assert str(path) in result.stderr
