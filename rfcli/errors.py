"""The one exception that means: the user can mend this.

What pydantic finds wrong with a file, in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class InputError(ValueError):
    """A mistake in what the user gave: a file, an option, a value.

    The message is one sentence that names the file or option and says what to do. The command line prints it
    to stderr and exits with 2; callers from Python catch it as the ValueError that it is.
    """


def violation(error: ValidationError) -> tuple[str, str]:
    """The first thing that is wrong, with its field, and what to do; the rest usually follows from it."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        return f"not valid JSON ({first['ctx']['error']})", "correct the file"
    if first["type"] == "extra_forbidden":
        return f"unknown field {field}", "correct its spelling or remove it"
    if first["type"] == "missing":
        return f"the field {field} is missing", "add it"
    if first["type"] == "too_short":
        return f"{field} is empty", "add at least one"
    if first["type"] == "too_long" and "actual_length" in first["ctx"]:
        return f"{field} can be {first['ctx']['max_length']:,} at most", "remove some"
    reason = first["msg"].removeprefix("Value error, ")
    where = f"{field}: " if field else ""  # what is wrong with all of them together has no field
    return f"{where}{reason[0].lower()}{reason[1:]}", "correct the value"
