"""Library messages name arguments in backticks; the command line prints options."""

import pytest
import typer

from rfcli.cli.app import app
from rfcli.cli.errors import EXIT_MISTAKE, MAX_SENTENCE, failure_message, long_options, one_line, with_options
from rfcli.errors import InputError

OPTIONS = {"max_triangles": "--max-triangles", "start": "--from", "seed": "--seed"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("`max_triangles` must be 1 or more.", "--max-triangles must be 1 or more."),
        ("`start` and `seed` differ.", "--from and --seed differ."),
        ("`precision` 'x' is not known.", "precision 'x' is not known."),
        ("No names here: max_triangles.", "No names here: max_triangles."),
        ("A file called `a b`.", "A file called `a b`."),
    ],
)
def test_arguments_become_options(message: str, expected: str) -> None:
    assert with_options(message, OPTIONS) == expected
    assert failure_message(InputError(message), "render", OPTIONS) == (expected, EXIT_MISTAKE)


def test_without_a_command_the_backticks_are_dropped() -> None:
    assert failure_message(InputError("`seed` -1 is negative"), options={})[0] == "seed -1 is negative."


def test_long_options_of_a_command() -> None:
    group = typer.main.get_command(app)
    options = long_options(group.commands["finetune"].params)  # type: ignore[attr-defined]
    assert options["start"] == "--from"
    assert options["lpips_weights"] == "--lpips-weights"
    assert options["out"] == "--out"
    assert "scenes" not in long_options(group.commands["render"].params)  # type: ignore[attr-defined]


def test_sentences_have_one_line_a_full_stop_and_a_limited_length() -> None:
    assert one_line("two\n lines") == "two lines."
    assert one_line("\x1b[31mred!") == "\\x1b[31mred!"
    assert len(one_line("a" * 10_000)) <= MAX_SENTENCE + 6
