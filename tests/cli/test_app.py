"""The program: time to help, imports, usage errors, exit codes."""

import subprocess
import sys
import time

import pytest

import rfcli
from tests.cli.conftest import Rf
from tests.support.time_limits import in_time

COMMANDS = ("gen-data", "train", "finetune", "render", "bench")  # with the shared options
PROGRAM = (sys.executable, "-c", "from rfcli.cli.app import main; main()")


def test_help_takes_less_than_400_milliseconds() -> None:
    best = min(_seconds("--help") for _ in range(5))  # the best of five: other work on the machine does not count
    assert in_time(best, 0.4)


def _seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([*PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from rfcli.cli.app import app; print(*(set(sys.modules) & {%s}))"
    heavy = "'torch', 'numpy', 'mitsuba', 'trimesh', 'h5py', 'matplotlib', 'scipy', 'pydantic', 'yaml'"
    done = subprocess.run([sys.executable, "-c", code % heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_help_and_no_arguments_list_the_commands(rf: Rf) -> None:
    for result in (rf("--help"), rf("-h"), rf()):
        assert result.exit_code == 0
        assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_shared_options(rf: Rf, command: str) -> None:
    result = rf(command, "--help")
    assert result.exit_code == 0
    for option in ("--seed", "--config", "--json", "--quiet", "--verbose"):
        assert option in result.stdout


@pytest.mark.parametrize("command", ["gen-data", "render", "bench", "doctor"])
def test_examples_in_help_are_valid(rf: Rf, command: str) -> None:
    help_text = " ".join(rf(command, "--help").stdout.split("Options", 2)[0].split())
    example = help_text.split("Example: rf ")[1].split("╭")[0].split()
    assert example[0] == command
    assert rf(*example, "--help").exit_code == 0  # --help is last: an unknown option fails first
    assert rf(*example, "--no-such-option", "--help").exit_code == 2


def test_version(rf: Rf) -> None:
    result = rf("--version")
    assert (result.exit_code, result.stdout) == (0, f"rf {rfcli.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bogus"], ["--bogus", "rf --help"]),
        (["paint"], ["paint", "rf --help"]),
        (["render"], ["SCENE", "rf render --help"]),
        (["render", "x.json", "--bogus"], ["--bogus", "rf render --help"]),
        (["render", "x.json", "--device", "abacus"], ["--device", "abacus", "cpu"]),
        (["render", "x.json", "--resolution", "large"], ["--resolution", "integer"]),
        (["bench", "--layers", "0"], ["--layers", "1"]),
        (["bench", "--seed", "-1"], ["--seed", "0"]),
    ],
)
def test_usage_errors_are_one_sentence_and_exit_2(rf: Rf, arguments: list[str], words: list[str]) -> None:
    result = rf(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words)
    assert "Traceback" not in result.stderr


def test_a_closed_pipe_causes_no_traceback() -> None:
    done = subprocess.run(
        f"{sys.executable} -c '{PROGRAM[2]}' --help | true", shell=True, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
