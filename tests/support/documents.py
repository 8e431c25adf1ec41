"""The documents of the project and their code blocks, and the checks of shell commands in them."""

import argparse
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from rfcli.cli.app import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        ROOT / "README.md",
        *ROOT.glob(".github/*.md"),
        *ROOT.glob("rfcli/*/README.md"),
        *ROOT.glob("rfcli/model/*/README.md"),
        *ROOT.glob("rfcli/weights/*/README.md"),
        *ROOT.glob("tests/README.md"),
        *ROOT.glob("tests/golden/README.md"),
    ]
)


@dataclass(frozen=True)
class Block:
    """A fenced code block: its document, the line number of its first line, its language and text."""

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A shell command of a document, with variables replaced, without `torchrun` and its options in front."""

    block: Block
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.words)


def blocks(*languages: str) -> list[Block]:
    """All blocks in these languages, or of every language."""
    return [block for path in DOCUMENTS for block in blocks_of(path) if block.language in languages or not languages]


def blocks_of(path: Path) -> Iterator[Block]:
    """The blocks of one document."""
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start(2)) + 1
        yield Block(path, line, match[1], match[2])


def named_file(block: Block) -> str | None:
    """The file that a block stands for, from a first line such as `# folder/file.py`."""
    match = re.match(r"# ([\w/.-]+\.\w+)$", block.text.splitlines()[0])
    return match[1] if match else None


def yaml_command(block: Block) -> tuple[str, str]:
    """The file and the command of a file of options, from a first line such as `# bench.yaml, for rf bench`."""
    match = re.match(r"# ([\w-]+\.yaml), for rf ([\w-]+)\n", block.text)
    assert match is not None, block
    return match[1], match[2]


def commands(block: Block) -> Iterator[Command]:
    """The commands of a shell block. `a && b` are two; assignments `name=value` replace `$name` in later commands."""
    variables: dict[str, str] = {}
    for line in block.text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word != "&&":
                words.append(re.sub(r"\$(\w+)", lambda name: variables[name[1]], word))
                continue
            if len(words) == 1 and (match := re.fullmatch(r"(\w+)=(.*)", words[0])):
                variables[match[1]] = match[2]
            elif words:
                yield Command(block, tuple(words))
            words = []


def inline_commands(path: Path) -> list[str]:
    """The `rf ...` commands between backticks in the text of a document, with line breaks removed."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text) if re.match(r"rf [a-z]", span)]


def parse_rf(words: tuple[str, ...]) -> None:
    """Parse the arguments of `rf` with its own parser, without running the command. Raises UsageError."""
    command: Any = typer.main.get_command(app)
    name, rest = "rf", list(words)
    while hasattr(command, "commands"):
        name, command = f"{name} {rest[0]}", command.commands[rest.pop(0)]
    try:
        command.make_context(name, rest).close()
    except Exception as error:
        if getattr(error, "exit_code", 1) != 0:  # 0: --help
            raise


def options_of_rf() -> set[str]:
    """All options of all commands of `rf`."""

    def of(command: Any) -> Iterator[str]:
        for parameter in command.params:
            yield from (*parameter.opts, *parameter.secondary_opts)
        for child in getattr(command, "commands", {}).values():
            yield from of(child)

    return {option for option in of(typer.main.get_command(app)) if option.startswith("--")} | {"--help"}


class ParsedError(Exception):
    """Raised instead of running a script, once its arguments are parsed."""


def parse_script(module: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse the arguments of a script `python -m module` with its own parser, without running it."""
    original = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, *args: Any, **options: Any) -> None:
        original(parser, *args, **options)
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with pytest.raises(ParsedError):
        runpy.run_module(module, run_name="__main__")
