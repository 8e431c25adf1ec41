"""One run of a command: its readable output, its progress, its receipt, and its exit code."""

import os
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import typer
from rich.console import Console as Rich

from rfcli.cli.errors import EXIT_DEFECT, failure_message, no_current_folder
from rfcli.cli.progress import Progress
from rfcli.cli.receipts import as_json, receipt
from rfcli.cli.streams import own_streams
from rfcli.errors import InputError, InputWarning
from rfcli.runtime.downloads import progress_bar
from rfcli.runtime.files import locked
from rfcli.runtime.signals import uninterrupted_imports


class Console:
    """`with Console("render", json=json, quiet=quiet, verbose=verbose) as console:` around the body of a command.

    Readable output goes to stdout, or to stderr if --json reserves stdout for the receipt. Colours appear on terminals,
    or where FORCE_COLOR asks for them, and not with NO_COLOR. What libraries print is shown with --verbose only; see
    `rfcli.cli.streams`.

    Args:
        command: Name of the command, for receipts and messages.
        json: Print the receipt.
        quiet: Print errors and the receipt only.
        verbose: Also print `detail` and tracebacks.
    """

    def __init__(self, command: str, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.command, self.json, self.quiet, self.verbose = command, json, quiet, verbose
        plain: dict[str, Any] = {"color_system": None} if os.environ.get("NO_COLOR") else {}
        plain["force_jupyter"] = False  # plain text in notebooks, as in other logs
        self._output = Rich(stderr=json, quiet=quiet, markup=False, highlight=False, emoji=False, **plain)
        self._errors = Rich(stderr=True, markup=False, highlight=False, emoji=False, **plain)
        self._receipt: dict[str, Any] | None = None
        self._warned: set[str] = set()
        self._failed = False
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

    def error(self, sentence: str) -> None:
        """Print a failure that does not end the run, also with --quiet; the exit code will be 1."""
        self._failed = True
        self._errors.print(sentence, style="red", soft_wrap=True)

    @contextmanager
    def progress(self, description: str, total: int | None, unit: str = "") -> Iterator[Progress]:
        """A bar with rate and time left, or occasional lines without a terminal; a total of None is unknown."""
        with Progress(self._output, description, total, unit) as progress:
            yield progress

    def progress_of_download(self, description: str, unit: str) -> AbstractContextManager[Progress]:
        """The bar of a download; see `rfcli.runtime.downloads`."""
        return self.progress(description, total=None, unit=unit)

    def receipt(self, device: str, outputs: Sequence[Path | str], **fields: Any) -> None:
        """Set the receipt, which --json prints if the command succeeds. See `receipts` for the fields."""
        self._receipt = receipt(self.command, self.seconds(), device, outputs, **fields)

    def _show_warning(self, message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        """Replaces `warnings.showwarning`."""
        if not issubclass(category, InputWarning):
            self._show_other_warning(message, category, *place, **options)
        elif str(message) not in self._warned:
            self._warned.add(str(message))
            self.warn(str(message))

    def lock(self, folder: Path) -> None:
        """Make the folder and lock it against other runs until this one ends; see `rfcli.runtime.files`."""
        self._contexts.enter_context(locked(folder))

    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._started

    def __enter__(self) -> "Console":
        self._stdout, stderr = own_streams(show_libraries=self.verbose)
        self._output.file, self._errors.file = stderr if self.json else self._stdout, stderr
        # cursor codes are for real terminals, whatever FORCE_COLOR says
        self._output.is_interactive = self._output.file.isatty() and not self._output.is_dumb_terminal
        self._contexts.enter_context(warnings.catch_warnings())
        self._show_other_warning, warnings.showwarning = warnings.showwarning, self._show_warning
        warnings.simplefilter("always", InputWarning)
        self._interrupted = self._contexts.enter_context(uninterrupted_imports())
        self._contexts.callback(progress_bar.reset, progress_bar.set(self.progress_of_download))
        try:
            os.getcwd()
        except OSError as error:
            self.__exit__(InputError, InputError(no_current_folder(error)), None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._contexts.close()
        if error is None:
            try:
                if self.json and self._receipt is not None:
                    print(as_json(self._receipt), file=self._stdout, flush=True)
                if not self._failed:
                    return
                raise typer.Exit(EXIT_DEFECT)
            except InputError as full:  # the device of stdout
                error = full
        if isinstance(error, (typer.Exit, BrokenPipeError, SystemExit, GeneratorExit)):
            return
        sentence, code = failure_message(KeyboardInterrupt() if self._interrupted() else error, self.command)
        with suppress(InputError):  # stderr cannot be written either
            if self.verbose:
                self._errors.print("".join(traceback.format_exception(error)), soft_wrap=True)
            self._errors.print(sentence, style="red", soft_wrap=True)
        raise typer.Exit(code) from None
