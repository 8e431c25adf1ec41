"""What reaches the terminal: rf's own lines in any shell, and no lines of libraries."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "-m", "tests.support.cli_demo", "demo"]
RF = [sys.executable, "-c", "from rfcli.cli.app import main; main()"]
FULL = Path("/dev/full")
LIBRARIES = ("output of a library", "log of a library", "warning of a library", "overflow in a library", "output of C")
LIBRARIES += ("error of C", "output of a child", "error of a child", "last words of a library")

pytestmark = pytest.mark.slow  # dozens of processes

needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")


def run(command: list[str], redirections: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell with these redirections."""
    clean = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR", "TERM")}
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def on_terminal(command: list[str], **environment: str) -> str:
    """All that the command writes to a terminal."""
    controller, terminal = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
    process = subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=ROOT,
        env={**clean, "TERM": "xterm", **environment},
    )
    os.close(terminal)
    written = b""
    try:
        while part := os.read(controller, 1 << 16):
            written += part
    except OSError:  # the end, on Linux
        pass
    os.close(controller)
    process.wait(timeout=60)
    return written.decode()


# Libraries


@pytest.mark.parametrize(
    ("flags", "end"),
    [([], ""), ([], "defect"), (["--quiet"], "mistake"), (["--json"], ""), (["--json", "--quiet"], "")],
)
def test_no_line_of_a_library_is_printed(flags: list[str], end: str) -> None:
    done = run([*DEMO, *flags, "--end", end])
    assert not any(line in done.stdout + done.stderr for line in LIBRARIES)
    sentences = 1 if end else 0
    people = 0 if "--quiet" in flags else 1
    receipt = 1 if "--json" in flags and not end else 0
    assert len(done.stdout.splitlines()) + len(done.stderr.splitlines()) == sentences + people + receipt


def test_verbose_prints_the_lines_of_libraries_to_stderr() -> None:
    done = run([*DEMO, "--verbose"])
    assert all(line in done.stderr for line in LIBRARIES)
    assert done.stdout == "for people [bold]\ndetails\n"


def test_no_line_of_a_library_on_a_terminal() -> None:
    written = on_terminal(DEMO)
    assert "for people [bold]" in written
    assert not any(line in written for line in LIBRARIES)


def test_a_warning_about_the_input_is_a_line() -> None:
    done = run([*DEMO, "--json", "--end", "caution"])
    assert done.stderr.count("Warning: 3 of 9 pixels are not finite.\n") == 1
    assert "3 of 9" not in run([*DEMO, "--quiet", "--end", "caution"]).stderr


# Streams that cannot be written


@needs_full
@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [([*DEMO, "--json"], ""), (DEMO, "1"), ([*RF, "--version"], ""), ([*RF, "render", "--help"], "1"), (RF, "")],
)
def test_full_device_is_a_sentence(command: list[str], unbuffered: str) -> None:
    done = run(command, "> /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    *people, sentence = done.stderr.splitlines()
    assert sentence == (
        "Standard output cannot be written (no space left on device); redirect it elsewhere and run the same command "
        "again."
    )
    assert people == (["for people [bold]"] if "--json" in command else [])


@needs_full
def test_full_device_as_stderr_keeps_the_exit_code() -> None:
    assert run([*DEMO, "--end", "mistake"], "2> /dev/full").returncode == 2
    assert run([*DEMO, "--json"], "> /dev/full 2> /dev/full").returncode == 2
    done = run([*DEMO, "--json"], "2> /dev/full")
    assert done.returncode == 2  # the readable output had no place
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("command", "redirections"),
    [(DEMO, ">&-"), ([*DEMO, "--json"], "2>&-"), ([*DEMO, "--json"], "<&- >&- 2>&-"), ([*RF, "--version"], ">&- 2>&-")],
)
def test_closed_streams_change_nothing(command: list[str], redirections: str) -> None:
    done = run(command, redirections)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert not any(line in done.stdout + done.stderr for line in LIBRARIES)
    if redirections == "2>&-":
        assert json.loads(done.stdout)["command"] == "demo"


@pytest.mark.parametrize(("command", "unbuffered"), [([*RF, "--help"], ""), ([*DEMO, "--json"], ""), (DEMO, "1")])
def test_reader_that_has_gone_is_no_error_message(command: list[str], unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=ROOT)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert process.stderr.read().decode() in ("", "for people [bold]\n")
    process.stderr.close()


# Colours


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "PY_COLORS", "GITHUB_ACTIONS"])
def test_forced_colours_bring_no_cursor_codes_into_pipes(variable: str) -> None:
    done = run([*DEMO, "--steps", "4", "--end", "mistake"], **{variable: "1"})
    output = done.stdout + done.stderr
    assert not any(code in output for code in ("\x1b[?25l", "\x1b[2K", "\x1b[1A", "\r"))
    plain = run([*DEMO, "--end", "mistake"], **{variable: "1", "NO_COLOR": "1"})
    assert "\x1b" not in plain.stdout + plain.stderr
    assert "\x1b" not in run([*RF, "render", "--help"], **{variable: "1", "NO_COLOR": "1"}).stdout


def test_force_color_colours_a_pipe() -> None:
    assert "\x1b[31m" in run([*DEMO, "--end", "mistake"], FORCE_COLOR="1").stderr
    assert "\x1b[" in run([*RF, "--help"], FORCE_COLOR="1").stdout


def test_colours_on_a_terminal() -> None:
    colour = "\x1b[31m"
    assert colour in on_terminal([*DEMO, "--end", "mistake"])
    assert colour not in on_terminal([*DEMO, "--end", "mistake"], NO_COLOR="1")
    assert colour not in on_terminal([*DEMO, "--end", "mistake"], NO_COLOR="1", FORCE_COLOR="1")
    assert colour in on_terminal([*DEMO, "--end", "mistake"], NO_COLOR="")  # empty is unset


def test_terminal_without_cursor_gets_no_codes() -> None:
    written = on_terminal([*DEMO, "--steps", "4", "--end", "mistake"], TERM="dumb")
    assert "\x1b" not in written
    assert written.replace("\r", "") == "for people [bold]\nscene.json has no cameras; add one.\n"


def test_bar_is_drawn_on_a_terminal_only() -> None:
    assert "\x1b[?25l" in on_terminal([*DEMO, "--steps", "4"])
    assert "\x1b[?25l" not in on_terminal([*DEMO, "--steps", "4", "--quiet"])


# Folders and encodings


@pytest.mark.parametrize("arguments", [["render", "x.json"], ["data", "check"]])
def test_deleted_current_folder_is_a_sentence(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "gone").mkdir()
    shell = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", str(tmp_path / "gone"), *RF, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "The current folder has been deleted; change to another one (cd) and run the command there.\n"
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1:strict"},
        {"LC_ALL": "nosuch.UTF-8"},
        {"LC_ALL": ""},
    ],
)
def test_any_name_in_any_locale(environment: dict[str, str]) -> None:
    names = [b"m\xfcller", b"\xff", "müller".encode(), "日本".encode(), "🫖".encode()]
    done = run([*DEMO, "--json", *(f"--name={os.fsdecode(name)}" for name in names)], **environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["asked"]["names"]
    assert [name.encode(errors="surrogateescape") for name in found] == names
    missing = subprocess.run(
        [*map(os.fsencode, RF), b"render", b"".join(names) + b".obj"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=60,
        check=False,
    )
    assert missing.returncode == 2
    assert missing.stderr.count(b"\n") == 1
    assert b"Traceback" not in missing.stderr
