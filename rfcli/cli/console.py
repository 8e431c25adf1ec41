"""One run of a command: its readable output, its progress, its receipt, and its exit code."""

import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import typer
from rich.console import Console as Rich

from rfcli.cli.errors import failure_message
from rfcli.cli.progress import Progress
from rfcli.cli.receipts import as_json, receipt
from rfcli.runtime.files import locked
from rfcli.runtime.signals import uninterrupted_imports


class Console:
    """`with Console("render", json=json, quiet=quiet, verbose=verbose) as console:` around the body of a command.

    Readable output goes to stdout, or to stderr if --json reserves stdout for the receipt. Colours appear on terminals
    only, and not with NO_COLOR.

    Args:
        command: Name of the command, for receipts and messages.
        json: Print the receipt.
        quiet: Print errors and the receipt only.
        verbose: Also print `detail` and tracebacks.
    """

    def __init__(self, command: str, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.command, self.json, self.quiet, self.verbose = command, json, quiet, verbose
        self._output = Rich(stderr=json, quiet=quiet, markup=False, highlight=False, emoji=False)
        self._errors = Rich(stderr=True, markup=False, highlight=False, emoji=False)
        self._receipt: dict[str, Any] | None = None
        self._contexts = ExitStack()
        self._started = time.perf_counter()

    def print(self, content: object) -> None:
        """Print a line, or any object that rich can print, unless --quiet is given."""
        self._output.print(content, soft_wrap=isinstance(content, str))

    def detail(self, content: object) -> None:
        """Print only with --verbose."""
        if self.verbose:
            self.print(content)

    def warn(self, sentence: str) -> None:
        """Print a warning to stderr."""
        if not self.quiet:
            self._errors.print(f"Warning: {sentence}", style="yellow", soft_wrap=True)

    @contextmanager
    def progress(self, description: str, total: int | None, unit: str = "") -> Iterator[Progress]:
        """A bar with rate and time left, or occasional lines without a terminal; a total of None is unknown."""
        with Progress(self._output, description, total, unit) as progress:
            yield progress

    def receipt(self, device: str, outputs: Sequence[Path | str], **fields: Any) -> None:
        """Set the receipt, which --json prints if the command succeeds. See `receipts` for the fields."""
        self._receipt = receipt(self.command, self.seconds(), device, outputs, **fields)

    def lock(self, folder: Path) -> None:
        """Make the folder and lock it against other runs until this one ends; see `rfcli.runtime.files`."""
        self._contexts.enter_context(locked(folder))

    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._started

    def __enter__(self) -> "Console":
        self._interrupted = self._contexts.enter_context(uninterrupted_imports())
        self._stdout = _Stdout() if self.json else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._contexts.close()
        if self._stdout is not None:
            self._stdout.restore()
        if error is None:
            if self.json and self._receipt is not None:
                print(as_json(self._receipt), flush=True)
            return
        if isinstance(error, (typer.Exit, BrokenPipeError, SystemExit, GeneratorExit)):
            return
        sentence, code = failure_message(KeyboardInterrupt() if self._interrupted() else error, self.command)
        if self.verbose:
            self._errors.print("".join(traceback.format_exception(error)), soft_wrap=True)
        self._errors.print(sentence, style="red", soft_wrap=True)
        raise typer.Exit(code) from None


class _Stdout:
    """Redirects stdout to stderr, also for child processes, so that only the receipt is printed to stdout."""

    def __init__(self) -> None:
        self._stream: IO[str] = sys.stdout
        self._descriptor: int | None = None
        if sys.stdout is sys.__stdout__:
            self._stream.flush()
            self._descriptor = os.dup(1)
            os.dup2(2, 1)
        sys.stdout = sys.stderr

    def restore(self) -> None:
        sys.stdout = self._stream
        if self._descriptor is not None:
            os.dup2(self._descriptor, 1)
            os.close(self._descriptor)
