"""`InputError` for mistakes that the user can correct, `InputWarning`, and the wording of validation errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class InputError(ValueError):
    """A mistake in the user's input: a file, an argument, a value.

    The message is one sentence (or two) that names the file or argument and says what to do. Arguments are in
    backticks, under the name that the Python function and the parameter of the command share:
    "`max_triangles` must be at least 1." Nothing else is in backticks. The command line replaces such a name by the
    option of the running command (--max-triangles), prints the message to stderr and exits with 2
    (`rfcli.cli.errors`). Python callers catch a ValueError.
    """


class InputWarning(UserWarning):
    """A warning about the user's input or what became of it, which the command line prints as a line of its own.

    The message is one sentence. Warnings of other classes are those of libraries, which the command line prints with
    --verbose only.
    """


def validation_message(error: ValidationError) -> tuple[str, str]:
    """Problem and remedy in words, for the first error that pydantic found; the others usually follow from it.

    Args:
        error: Raised by a pydantic model.

    Returns:
        The problem with its field, such as "the field cameras.0.fov is missing", and the remedy, such as "add it".
    """
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
    where = f"{field}: " if field else ""  # errors of the whole document have no field
    return f"{where}{reason[0].lower()}{reason[1:]}", "correct the value"
