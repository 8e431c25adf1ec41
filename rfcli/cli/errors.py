"""How a run ends when it does not end well: an exception becomes one sentence and an exit code."""

from rfcli.errors import InputError

LONGEST = 600  # characters of a sentence
EXIT_DEFECT, EXIT_MISTAKE, EXIT_INTERRUPTED = 1, 2, 130


def ending(error: BaseException) -> tuple[str, int]:
    """The sentence that tells a person what happened and what to do, and the exit code of the process."""
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted; what is finished is kept.", EXIT_INTERRUPTED
    if isinstance(error, InputError):
        return one_line(str(error)), EXIT_MISTAKE
    # torch's own out-of-memory errors are known by name, so that this module need not import torch
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "Out of memory; use fewer triangles, a smaller resolution or batch, or another --device.", EXIT_MISTAKE
    if isinstance(error, OSError) and error.filename is not None:
        reason = (error.strerror or type(error).__name__).lower()
        return f"{error.filename}: {reason}; give a path that can be read and written.", EXIT_MISTAKE
    kind = type(error).__name__
    return f"rf failed: {one_line(f'{kind}: {error}')} This is a defect of rf; --verbose shows where.", EXIT_DEFECT


def one_line(text: str) -> str:
    """The text with every run of white space made a single space, ending in a full stop or other closing mark.

    What comes from files is shown harmless: control characters, which terminals obey, as \\x1b, and not without end.
    """
    line = " ".join(text.split())
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
    line = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in line)
    return line if line.endswith((".", "!", "?")) else f"{line}."
