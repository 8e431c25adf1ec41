"""The streams of a process: rf's own lines reach the terminal or pipe, lines of libraries do not.

Libraries print notices for programmers: from Python (warnings, logging), from C++ straight to the file descriptors,
from child processes, and at the very end, when their objects are destroyed. What such a line means for the user is
printed by rf itself, as an `InputWarning` or an error. `own_streams` copies the descriptors 1 and 2 for rf, and lets
the originals lead to nowhere until the process ends, or, with --verbose, to stderr.
"""

import io
import os
import sys
from typing import IO, TextIO

from rfcli.errors import InputError

# Environment variables by which rich, Typer and others use colours without a terminal.
FORCING_COLOURS = ("FORCE_COLOR", "PY_COLORS", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "GITHUB_ACTIONS")
NAMES = {1: "Standard output", 2: "Standard error"}


class OwnStream(io.TextIOWrapper):
    """A text stream whose failures name it, instead of a file; a reader that has gone stays a BrokenPipeError."""

    def __init__(self, name: str, binary: IO[bytes], encoding: str) -> None:
        super().__init__(binary, encoding=encoding, errors="backslashreplace", line_buffering=True)
        self._name = name

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise unwritable(self._name, error) from None

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise unwritable(self._name, error) from None


def unwritable(name: str, error: OSError) -> Exception:
    """The error to raise when a stream cannot be written."""
    if isinstance(error, BrokenPipeError):
        return error
    reason = (error.strerror or type(error).__name__).lower()
    return InputError(f"{name} cannot be written ({reason}); redirect it elsewhere and run the same command again.")


def prepare_streams() -> None:
    """Prepare stdout and stderr before anything is printed.

    Closed descriptors lead to nowhere, since the next file that is opened would otherwise get their numbers. Characters
    that the encoding lacks, such as bytes of file names that are not text, are escaped. NO_COLOR takes precedence over
    variables that force colours.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    if sys.stdout is None:
        sys.stdout = _stream(1)
    if sys.stderr is None:
        sys.stderr = _stream(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if os.environ.get("NO_COLOR"):
        for name in FORCING_COLOURS:
            os.environ.pop(name, None)


def _stream(descriptor: int) -> TextIO:
    return os.fdopen(descriptor, "w", closefd=False)


def own_streams(show_libraries: bool) -> tuple[IO[str], IO[str]]:
    """The stdout and stderr of rf; from now on those of libraries lead to nowhere, or to stderr if they are shown.

    Streams that are not those of the process (of a test, of a notebook) are returned unchanged.
    """
    if sys.stdout is not (sys.__stdout__ or sys.stdout) or sys.stderr is not (sys.__stderr__ or sys.stderr):
        return sys.stdout, sys.stderr
    sys.stdout.flush()
    streams = ((1, sys.stdout.encoding), (2, sys.stderr.encoding))
    own = [OwnStream(NAMES[number], os.fdopen(os.dup(number), "wb"), encoding) for number, encoding in streams]
    target = os.dup(2) if show_libraries else os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(target, descriptor)
    os.close(target)
    return own[0], own[1]


def discard_output() -> None:
    """Let stdout lead to nowhere, so that what is left in its buffer gives no second error when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
