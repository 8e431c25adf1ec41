"""Progress of downloads: the library reports it to a function that the command line or a notebook sets.

Without a function in `progress_bar`, libraries that download draw their own bars.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Protocol


class DownloadBar(Protocol):
    """A progress bar of a download."""

    def show(self, done: float, total: float | None, note: str) -> None:
        """Show how many of the total units are done."""


# Opens the bar of a download, from its description and unit, for the length of a `with` block.
progress_bar: ContextVar[Callable[[str, str], AbstractContextManager[DownloadBar]] | None] = ContextVar(
    "progress bar of downloads", default=None
)
