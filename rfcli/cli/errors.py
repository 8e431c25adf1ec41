"""How a run ends when it does not end well: an exception becomes one sentence and an exit code."""

import errno
import re

from rfcli.errors import InputError

SPACE = "free some space and run the same command again, or give another --out"
LONGEST = 600  # characters of a sentence
EXIT_DEFECT, EXIT_MISTAKE, EXIT_INTERRUPTED = 1, 2, 130


# What makes a command need less memory.
LESS_MEMORY = {
    "render": "--max-triangles or --resolution, or add --attention nearfar",
    "gen-data": "--workers, --triangles or --resolution",
    "train": "--batch, --views, --resolution or --triangles",
    "finetune": "--batch, --views, --resolution or --triangles",
    "bench": "--triangles",
}


def ending(error: BaseException, command: str = "") -> tuple[str, int]:
    """The sentence that tells a person what happened and what to do, and the exit code of the process.

    command: the subcommand, whose options the sentence may name.
    """
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted; what is finished is kept.", EXIT_INTERRUPTED
    if isinstance(error, InputError):
        return one_line(str(error)), EXIT_MISTAKE
    if is_out_of_memory(error):
        return out_of_memory(error, command), EXIT_MISTAKE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{error.filename or 'A file'} cannot be written: the disk or your share of it is full; {SPACE}.", 2
    if isinstance(error, OSError) and error.filename is not None:
        reason = (error.strerror or type(error).__name__).lower()
        return f"{error.filename}: {reason}; give a path that can be read and written.", EXIT_MISTAKE
    kind = type(error).__name__
    return f"rf failed: {one_line(f'{kind}: {error}')} This is a defect of rf; --verbose shows where.", EXIT_DEFECT


def is_out_of_memory(error: BaseException) -> bool:
    """Python's own error, and torch's: known by name and words, so that this module need not import torch."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and bool(re.search(r"can't allocate memory|not enough memory", str(error)))


def out_of_memory(error: BaseException, command: str) -> str:
    """How much was asked for, where the error says so; how much is free; what to lower."""
    import psutil

    memory = psutil.virtual_memory()
    asked = re.search(r"(?:[Uu]nable|[Tt]ried) to allocate ([\d.]+) ?([KMGTPE]?i?[Bb](?:ytes)?)", str(error))
    amount = f": {float(asked[1]):,.10g} {asked[2]} more were asked for" if asked else ""
    free = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB of main memory are free"
    lower = LESS_MEMORY.get(command, "the number of triangles, --resolution or --batch")
    return f"Out of memory{amount} ({free}); lower {lower}, or use another --device."


def one_line(text: str) -> str:
    """The text with every run of white space made a single space, ending in a full stop or other closing mark.

    What comes from files is shown harmless: control characters, which terminals obey, as \\x1b, and not without end.
    """
    line = " ".join(text.split())
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
    line = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in line)
    return line if line.endswith((".", "!", "?")) else f"{line}."
