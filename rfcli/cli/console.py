"""One run of a command: what it tells people, its progress, its receipt, and how it ends."""

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

from rfcli.cli.errors import ending
from rfcli.cli.progress import Progress
from rfcli.cli.receipts import as_json, receipt
from rfcli.runtime.files import locked
from rfcli.runtime.signals import uninterrupted_imports


class Console:
    """`with Console("render", json=json, quiet=quiet, verbose=verbose) as console:` around all that a command does.

    People read stdout, or stderr when --json gives stdout to the receipt. quiet silences everything but errors and
    the receipt; verbose shows `detail` and tracebacks. NO_COLOR is honoured, and nothing is coloured off a terminal.
    """

    def __init__(self, command: str, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        from rich.console import Console as Rich  # not at the top: `rf --help` does not need it

        self.command, self.json, self.quiet, self.verbose = command, json, quiet, verbose
        self._people = Rich(stderr=json, quiet=quiet, markup=False, highlight=False, emoji=False)
        self._errors = Rich(stderr=True, markup=False, highlight=False, emoji=False)
        self._receipt: dict[str, Any] | None = None
        self._held = ExitStack()
        self._started = time.perf_counter()

    def say(self, what: object) -> None:
        """A line, or anything that rich prints, for people."""
        self._people.print(what, soft_wrap=isinstance(what, str))

    def detail(self, what: object) -> None:
        """What only --verbose shows."""
        if self.verbose:
            self.say(what)

    def warn(self, sentence: str) -> None:
        """Something that the reader of the result should know; on stderr."""
        if not self.quiet:
            self._errors.print(f"Warning: {sentence}", style="yellow", soft_wrap=True)

    @contextmanager
    def progress(self, description: str, total: int | None, unit: str = "") -> Iterator[Progress]:
        """A bar with rate and time left; off a terminal, a line now and then. total None: not known beforehand."""
        with Progress(self._people, description, total, unit) as progress:
            yield progress

    def receipt(self, device: str, outputs: Sequence[Path | str], **fields: Any) -> None:
        """The run's result, printed with --json once the command has ended well. See `receipts` for the fields."""
        self._receipt = receipt(self.command, self.seconds(), device, outputs, **fields)

    def claim(self, folder: Path) -> None:
        """Make the folder and keep other runs out of it until this one ends; see `rfcli.runtime.files`."""
        self._held.enter_context(locked(folder))

    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._started

    def __enter__(self) -> "Console":
        self._interrupted = self._held.enter_context(uninterrupted_imports())
        self._stdout = _Stdout() if self.json else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()
        if self._stdout is not None:
            self._stdout.give_back()
        if error is None:
            if self.json and self._receipt is not None:
                print(as_json(self._receipt), flush=True)
            return
        if isinstance(error, (typer.Exit, BrokenPipeError, SystemExit, GeneratorExit)):
            return
        sentence, code = ending(KeyboardInterrupt() if self._interrupted() else error, self.command)
        if self.verbose:
            self._errors.print("".join(traceback.format_exception(error)), soft_wrap=True)
        self._errors.print(sentence, style="red", soft_wrap=True)
        raise typer.Exit(code) from None


class _Stdout:
    """Stdout lent to stderr: what libraries and worker processes print must not mix with the receipt."""

    def __init__(self) -> None:
        self._stream: IO[str] = sys.stdout
        self._descriptor: int | None = None
        if sys.stdout is sys.__stdout__:
            self._stream.flush()
            self._descriptor = os.dup(1)
            os.dup2(2, 1)
        sys.stdout = sys.stderr

    def give_back(self) -> None:
        sys.stdout = self._stream
        if self._descriptor is not None:
            os.dup2(self._descriptor, 1)
            os.close(self._descriptor)
