"""Files that are whole or absent: written beside their final name, then renamed.

One run at a time in a folder: two that write the same files would mix them.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rfcli.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path`, with its suffix, to write to; renamed to `path` when the block ends without an error.

    It is on the disk before it gets its name, so that a power cut leaves no empty file of that name. On an error, or on
    Ctrl-C, the unfinished file is removed and what was at `path` before stays as it was.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield beside
        flush(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Return once the file is on the disk, not only in the system's memory."""
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clear_unfinished(folder: Path) -> None:
    """Remove what `replacing` was writing in the folder when its process was killed."""
    for path in folder.glob(".*"):
        if re.fullmatch(r"\..+\.\d+(\.\w+)?", path.name) and path.is_file():
            path.unlink()


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
