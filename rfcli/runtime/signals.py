"""Ctrl-C between pieces of work, not in the middle of one, nor of an import.

Processes that end when the one that started them does, however that ends.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection
from types import FrameType

AGAIN = 0.05  # seconds from one look at whether an import is over to the next


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


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Within, Ctrl-C waits until the end; processes started here do not get it at all (Windows: no difference)."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def whole_imports() -> Iterator[Callable[[], bool]]:
    """Within, Ctrl-C during an import interrupts after it: libraries in C++ that are interrupted as they start end the
    whole process with SIGABRT. The function that is given says whether KeyboardInterrupt was raised: what comes out may
    be another error, as libraries in C make of it. Where signals are another's, or the system has no timer, nothing is
    changed."""
    mine = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    raised = False

    def interrupt(_signal: int, frame: FrameType | None) -> None:
        nonlocal raised
        if not _importing(frame):
            raised = True
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, AGAIN)

    alarm = signal.signal(signal.SIGALRM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: raised
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGALRM, alarm)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def leave_with_parent() -> None:
    """From now on this process ends at once when its parent has: a `kill -9` gives that no time to say so. To be called
    by a process that `multiprocessing` started; in any other nothing happens."""
    threading.Thread(target=_wait_and_leave, daemon=True).start()


def _wait_and_leave() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
