"""How a command fails: one sentence on stderr and an exit code.

The library names its arguments in backticks, as Python users know them: "`max_triangles` must be at least 1." Here
such a name becomes the option of the running command, `--max-triangles`; the names of other arguments lose their
backticks.
"""

import errno
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import typer
from typer.core import TyperGroup

from rfcli.errors import InputError

EXIT_DEFECT, EXIT_MISTAKE, EXIT_INTERRUPTED = 1, 2, 130
MAX_SENTENCE = 600  # characters
FREE_SPACE = "free some space and run the same command again, or give another --out"

# Options of each command that reduce its memory.
LESS_MEMORY = {
    "render": "--max-triangles or --resolution, or use a linear --attention",
    "view": "--max-triangles or --resolution, or use a linear --attention",
    "gen-data": "--workers, --triangles or --resolution",
    "train": "--batch, --views, --resolution or --triangles",
    "finetune": "--batch, --views, --resolution or --triangles",
    "bench": "--triangles",
}

# The parser's error for a wrong option or value: click's UsageError, which newer Typers do not export.
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]

_running: ContextVar[Mapping[str, str]] = ContextVar("options of the running command", default={})  # noqa: B039


class CommandGroup(TyperGroup):
    """A group of commands whose usage errors are one sentence on stderr."""

    def resolve_command(self, *args: Any, **kwargs: Any) -> Any:
        """Resolve a command as Typer does, and record its options for `failure_message`."""
        name, command, rest = super().resolve_command(*args, **kwargs)
        if command is not None:
            _running.set(long_options(command.params))
        return name, command, rest

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run as Typer does, but report a wrong command, option or value in one sentence, with exit code 2."""
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except USAGE_ERROR as error:
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "rf"
            message = one_line(error.format_message().replace("Value error, ", ""))  # type: ignore[attr-defined]
            print(f"{message} See '{command} --help'.", file=sys.stderr)
            sys.exit(EXIT_MISTAKE)
        sys.exit(code if isinstance(code, int) else 0)


def long_options(parameters: Any) -> dict[str, str]:
    """The long option of each of a command's parameters, by the name of the function's argument."""
    options = ((parameter.name, [name for name in parameter.opts if name.startswith("--")]) for parameter in parameters)
    return {name: names[0] for name, names in options if names}


def with_options(sentence: str, options: Mapping[str, str]) -> str:
    """The sentence with `name` replaced by the option of that argument, or by the plain name where it has none."""
    return re.sub(r"`([^\W\d]\w*)`", lambda match: options.get(match[1], match[1]), sentence)


def in_options(sentence: str) -> str:
    """The sentence with the options of the running command in place of `arguments`."""
    return with_options(sentence, _running.get())


def failure_message(
    error: BaseException, command: str = "", options: Mapping[str, str] | None = None
) -> tuple[str, int]:
    """The sentence for the user, and the exit code of the process.

    Args:
        error: The exception that ended the command.
        command: Name of the subcommand.
        options: Its options by argument name. None: those of the command that `CommandGroup` is running.
    """
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted; finished work is kept.", EXIT_INTERRUPTED
    if isinstance(error, InputError):
        return one_line(with_options(str(error), _running.get() if options is None else options)), EXIT_MISTAKE
    if is_out_of_memory(error):
        return out_of_memory(error, command), EXIT_MISTAKE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        file = error.filename or "A file"
        return f"{file} cannot be written: the disk or your quota is full; {FREE_SPACE}.", EXIT_MISTAKE
    if isinstance(error, OSError) and error.filename is not None:
        reason = (error.strerror or type(error).__name__).lower()
        return f"{error.filename}: {reason}; give a path that can be read and written.", EXIT_MISTAKE
    kind = type(error).__name__
    return f"rf failed: {one_line(f'{kind}: {error}')} This is a defect of rf; --verbose shows where.", EXIT_DEFECT


def no_current_folder(error: OSError) -> str:
    """The sentence for a current folder that cannot be used; libraries would end the process without one."""
    if isinstance(error, FileNotFoundError):
        return "The current folder has been deleted; change to another one (cd) and run the command there."
    reason = (error.strerror or type(error).__name__).lower()
    return f"The current folder cannot be read ({reason}); change to another one (cd) and run the command there."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch ran out of memory; torch's errors are recognised by their text, without importing it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and bool(re.search(r"can't allocate memory|not enough memory", str(error)))


def out_of_memory(error: BaseException, command: str) -> str:
    """The sentence for an out-of-memory error: bytes requested (if known), bytes free, and the options to lower."""
    import psutil

    memory = psutil.virtual_memory()
    requested = re.search(r"(?:[Uu]nable|[Tt]ried) to allocate ([\d.]+) ?([KMGTPE]?i?[Bb](?:ytes)?)", str(error))
    amount = f": {float(requested[1]):,.10g} {requested[2]} more were requested" if requested else ""
    free = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB of main memory are free"
    lower = LESS_MEMORY.get(command, "the number of triangles, --resolution or --batch")
    return f"Out of memory{amount} ({free}); lower {lower}, or use another --device."


def one_line(text: str) -> str:
    r"""The text on one line that ends in a full stop.

    White space becomes single spaces. Text from files is made harmless: control characters are escaped (\x1b), and
    the middle of a text longer than MAX_SENTENCE is left out.
    """
    line = " ".join(text.split())
    if len(line) > MAX_SENTENCE:
        line = f"{line[: MAX_SENTENCE // 2]} ... {line[-MAX_SENTENCE // 2 :]}"
    line = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in line)
    return line if line.endswith((".", "!", "?")) else f"{line}."
