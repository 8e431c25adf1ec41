"""README speaks of commands, options, files and names that exist."""

import re
import shlex
from pathlib import Path

import pytest

from rfcli.attention import names
from tests.cli.conftest import Rf

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line.split("#")[0] for line in re.findall(r"(?:^|&& )(rf .*)$", TEXT, re.MULTILINE)]


def test_it_opens_with_the_two_lines_of_a_newcomer() -> None:
    assert TEXT.splitlines()[:4] == [
        "```sh",
        "pip install . && rf render examples/cornell-box.json",
        "pip install '.[dev]' && pytest",
        "```",
    ]
    assert TEXT.splitlines()[5].startswith("![")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(rf: Rf, command: str) -> None:
    arguments = shlex.split(command)[1:]
    assert rf(*arguments, "--help").exit_code == 0  # parsed up to --help: an unknown option before it exits 2
    assert rf(*arguments, "--no-such-option", "--help").exit_code == 2


def test_all_five_commands_stand_in_their_order() -> None:
    first = [shlex.split(command)[1] for command in COMMANDS][1:6]
    assert first == ["gen-data", "train", "finetune", "render", "bench"]


@pytest.mark.parametrize("path", re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT))
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("folder", re.findall(r"^\| `(\w+)/` \|", TEXT, re.MULTILINE))
def test_folders_are_there(folder: str) -> None:
    assert (ROOT / "rfcli" / folder / "__init__.py").is_file()


def test_mechanisms_are_those_of_the_registry() -> None:
    assert f"# {names()!r}".replace("'", '"') in TEXT
