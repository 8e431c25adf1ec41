"""Ctrl-C between pieces of work, not in the middle of one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt(*signals: signal.Signals) -> Iterator[Callable[[], bool]]:
    """Within, the first Ctrl-C is only noted, and the function that is given says so; a second one interrupts at once.

    signals: those for which this holds; Ctrl-C's SIGINT alone where none is named. Outside the main thread, which alone
    gets signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    noted = False
    before = {which: signal.getsignal(which) for which in signals or (signal.SIGINT,)}

    def restore() -> None:
        for which, handler in before.items():
            signal.signal(which, handler)

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal noted
        noted = True
        restore()

    for which in before:
        signal.signal(which, note)
    try:
        yield lambda: noted
    finally:
        restore()
