"""Commands as line magics, and progress in a line of a cell; a recording stands for the notebook."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from rfcli.cli import notebook
from rfcli.cli.console import Console
from rfcli.errors import InputError


class Handle:
    """What `display` of IPython returns; records all texts."""

    def __init__(self, texts: list[str], data: dict[str, str]) -> None:
        self.texts = texts
        self.update(data, raw=True)

    def update(self, data: dict[str, str], raw: bool) -> None:
        assert raw
        self.texts.append(data["text/plain"])


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the changing line, as if this process were the kernel of a notebook."""
    shown: list[str] = []
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=None)  # type: ignore[attr-defined]
    display = types.ModuleType("IPython.display")
    display.display = lambda data, raw, display_id: Handle(shown, data)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_magic_runs_the_command_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    magics: dict[str, Any] = {}
    shell = types.SimpleNamespace(register_magic_function=lambda function, kind, name: magics.update({name: function}))
    notebook.load_ipython_extension(shell)
    magics["rf"]("--version")
    assert capsys.readouterr().out.startswith("rf ")


@pytest.mark.parametrize("line", ["render missing.json", "render 'a b.json'", "nosuch", "render"])
def test_failure_is_a_sentence_and_an_exception(line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"rf {line} ended with exit code 2"):
        notebook.rf(line)
    assert capsys.readouterr().err.count("\n") == 1


def test_progress_is_a_line_that_changes(texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "MIN_SECONDS", 0.0)
    with Console("demo") as console, console.progress("steps", total=4, unit="steps") as progress:
        for step in range(4):
            progress.advance(note=f"loss {step}")
    assert len(texts) == 5
    assert [text.count("█") for text in texts] == [8, 15, 22, 30, 30]
    assert "steps 4/4" in texts[-1]
    assert "loss 3" in texts[-1]


def test_short_or_quiet_work_shows_no_line(texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Console("demo") as console, console.progress("steps", total=4) as progress:
        progress.advance(4)
    monkeypatch.setattr(notebook, "MIN_SECONDS", 0.0)
    with Console("demo", quiet=True) as console, console.progress("steps", total=4) as progress:
        progress.advance(4)
    assert texts == []


def test_this_process_is_no_notebook() -> None:
    assert not notebook.in_notebook()
