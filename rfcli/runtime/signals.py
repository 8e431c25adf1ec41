"""Ctrl-C between steps of work rather than within one, and processes that end with their parent."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection
from types import FrameType

IMPORT_POLL_SECONDS = 0.05  # between checks whether an interrupted import has finished


@contextmanager
def deferred_interrupt(*signals: signal.Signals) -> Iterator[Callable[[], bool]]:
    """Only record the first Ctrl-C; a second one interrupts at once.

    Outside the main thread, which alone receives signals, nothing changes.

    Args:
        signals: The signals to defer; by default SIGINT.

    Yields:
        A function that returns whether one of them has arrived.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    arrived = False
    before = {which: signal.getsignal(which) for which in signals or (signal.SIGINT,)}

    def restore() -> None:
        for which, handler in before.items():
            signal.signal(which, handler)

    def record(_signal: int, _frame: FrameType | None) -> None:
        nonlocal arrived
        arrived = True
        restore()

    for which in before:
        signal.signal(which, record)
    try:
        yield lambda: arrived
    finally:
        restore()


@contextmanager
def blocked_interrupts() -> Iterator[None]:
    """Delay Ctrl-C until the block ends; processes started in it never receive it. No effect on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def uninterrupted_imports() -> Iterator[Callable[[], bool]]:
    """Delay Ctrl-C during an import until it has finished: C++ libraries interrupted as they start abort the process.

    Yields a function that returns whether KeyboardInterrupt was raised; C libraries may turn it into another error.
    Nothing changes if another handler of SIGINT is installed, outside the main thread, or without a timer (Windows).
    """
    possible = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if not possible or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    raised = False

    def interrupt(_signal: int, frame: FrameType | None) -> None:
        nonlocal raised
        if not _is_importing(frame):
            raised = True
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, IMPORT_POLL_SECONDS)

    alarm = signal.signal(signal.SIGALRM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: raised
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGALRM, alarm)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def exit_with_parent() -> None:
    """End this process as soon as its parent ends, even by SIGKILL.

    For processes started by `multiprocessing`; no effect in others.
    """
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
