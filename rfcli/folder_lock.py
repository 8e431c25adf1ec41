"""One run at a time in a folder: two that write the same files would mix them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rfcli.errors import InputError


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make the folder where it is not there, and keep other runs out of it until the block ends.

    The claim is an advisory lock of the operating system's on the folder itself: it leaves no file behind, and ends
    with the process that holds it, however that ends. Windows has none of the kind: there nothing is kept out.
    Raises InputError where another run has claimed the folder; OSError where it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"Another rf is at work in {folder}; wait for it, or give another --out.") from None
        except OSError:  # a network's file system without locks
            pass
        yield
    finally:
        os.close(descriptor)
