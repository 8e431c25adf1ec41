"""Files that are whole or absent: written beside their final name, then renamed."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
