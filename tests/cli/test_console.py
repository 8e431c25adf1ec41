"""Output and exit codes of runs, as processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rfcli

ROOT = Path(__file__).parents[2]


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.support.cli_demo", "demo", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )


def test_json_prints_only_the_receipt_to_stdout() -> None:
    done = demo("--json", "--steps", "4")
    assert done.returncode == 0
    receipt = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert list(receipt)[:5] == ["command", "version", "device", "seconds", "outputs"]
    assert (receipt["command"], receipt["version"]) == ("demo", rfcli.__version__)
    assert 0 <= receipt["seconds"] < 60
    assert receipt["asked"]["steps"] == 4
    assert receipt["nothing"] is None
    assert done.stderr == "for people [bold]\n"
    shown = demo("--json", "--verbose")
    for words in ("for people [bold]", "output of a library", "output of a child"):
        assert words in shown.stderr
    assert shown.stdout.count("\n") == 1


def test_text_goes_to_stdout_without_json() -> None:
    done = demo()
    assert "for people [bold]\n" in done.stdout
    assert done.stderr == ""
    assert "details" not in done.stdout
    assert "details" in demo("--verbose").stdout


def test_quiet_prints_nothing_of_rf() -> None:
    assert demo("--quiet").stdout == ""
    silent = demo("--quiet", "--json")
    assert json.loads(silent.stdout)
    assert "for people" not in silent.stderr


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        ("mistake", 2, "scene.json has no cameras; add one."),
        ("argument", 2, "--steps and --name of other do not fit."),
        ("unwritable", 2, "/dev/null/x: not a directory; give a path that can be read and written."),
        ("memory", 2, "Out of memory ("),
        ("defect", 1, "ZeroDivisionError: half of nothing."),
        ("interrupt", 130, "Interrupted; finished work is kept."),
        ("leave", 5, ""),
    ],
)
@pytest.mark.parametrize("flags", [(), ("--json",), ("--quiet",)])
def test_exit_codes_and_messages(end: str, code: int, words: str, flags: tuple[str, ...]) -> None:
    done = demo("--end", end, *flags)
    assert done.returncode == code
    last = done.stderr.splitlines()[-1] if done.stderr else ""
    assert words in last
    assert "Traceback" not in done.stderr
    assert "command" not in done.stdout
    if "--json" in flags:
        assert done.stdout == ""


def test_verbose_prints_the_traceback_before_the_sentence() -> None:
    done = demo("--end", "defect", "--verbose")
    assert done.returncode == 1
    assert "in defect" in done.stderr
    assert "half of nothing" in done.stderr.splitlines()[-2]  # the last line is of a library


def test_colour_is_for_terminals_without_no_color() -> None:
    assert "\x1b[31m" in demo("--end", "mistake", FORCE_COLOR="1").stderr
    assert "\x1b" not in demo("--end", "mistake").stderr
    assert "\x1b[31m" not in demo("--end", "mistake", FORCE_COLOR="1", NO_COLOR="1").stderr
