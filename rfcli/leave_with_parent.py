"""Processes that end when the one that started them does, however that ends."""

import multiprocessing
import os
import threading
from multiprocessing import connection


def leave_with_parent() -> None:
    """From now on this process ends at once when its parent has: a `kill -9` gives that no time to say so. To be called
    by a process that `multiprocessing` started; in any other nothing happens."""
    threading.Thread(target=_wait_and_leave, daemon=True).start()


def _wait_and_leave() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
