"""Commands in notebooks: `%load_ext rfcli.cli.notebook`, then `%rf render scene.json` in a line of a cell.

A command runs in the notebook's own process. It prints into the cell, shows its progress in a line that changes, and if
it fails, the cell fails, so that "Run all" stops there.
"""

import shlex
import sys
import time
from typing import Any

from rfcli.errors import InputError

MIN_SECONDS = 0.5  # of work before its progress is shown, and between two changes of the line
BAR = 30  # characters


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext`: defines the line magic `%rf`."""
    shell.register_magic_function(rf, "line", "rf")


def rf(line: str) -> None:
    """Run a command with its arguments, as in a shell; raise InputError if it fails."""
    from rfcli.cli.app import app

    try:
        app(shlex.split(line), prog_name="rf")
    except SystemExit as end:
        if end.code:
            raise InputError(f"rf {line} ended with exit code {end.code}; the line above says why.") from None


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class ChangingLine:
    """A line of a cell's output whose text is replaced; needs no widgets, and is saved with the notebook."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._changed = time.monotonic()

    def show(self, text: str, done: float, total: float | None, last: bool = False) -> None:
        """Replace the text, behind a bar if the total is known; too early changes are left out except the last one."""
        if time.monotonic() - self._changed < MIN_SECONDS and not (last and self._handle):
            return
        self._changed = time.monotonic()
        filled = round(BAR * min(1, done / total)) if total else 0
        data = {"text/plain": f"{'█' * filled}{'░' * (BAR - filled)} {text}" if total else text}
        if self._handle is None:
            from IPython.display import display

            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(data, raw=True)
