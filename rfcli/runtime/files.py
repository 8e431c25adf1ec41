"""Files written completely or not at all, and folders locked to one run at a time."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rfcli.errors import InputError

MAX_POINTER_BYTES = 1024  # of a Git LFS pointer, by its specification
LFS_VERSIONS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file completely or not at all.

    The content is on the disk before the file gets its name, so a power cut leaves no empty file. If the block raises,
    also by Ctrl-C, the temporary file is removed and an older file at `path` stays unchanged.

    Args:
        path: The file to write.

    Yields:
        A temporary path in the same folder, with the same suffix, renamed to `path` when the block ends.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def is_text(path: str | Path) -> bool:
    """Whether a path is UTF-8; other paths are only for Python, not for libraries in C++ and Rust."""
    return legible(path) == str(path)


def legible(path: str | Path) -> str:
    r"""A path as text that can be drawn, or stored in other files: bytes that are not UTF-8 become \xff."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


def check_not_lfs_pointer(path: Path) -> None:
    """Raise InputError if a file is a Git LFS pointer: what a clone without Git LFS has in place of large files."""
    if path.is_file() and path.stat().st_size <= MAX_POINTER_BYTES:
        with path.open("rb") as file:
            start = file.read(MAX_POINTER_BYTES)
        if start.startswith(LFS_VERSIONS):
            raise InputError(
                f"{path} is a Git LFS pointer, a few lines of text in place of the file itself; run `git lfs pull` in "
                "its repository, or download the file."
            )


def sync(path: Path) -> None:
    """Wait until the file is on the disk, not only in the system's cache."""
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clear_unfinished(folder: Path) -> None:
    """Remove temporary files that `replacing` left in the folder because its process was killed."""
    for path in folder.glob(".*"):
        if re.fullmatch(r"\..+\.\d+(\.\w+)?", path.name) and path.is_file():
            path.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create the folder if it is missing, and lock it against other runs until the block ends.

    An advisory lock of the operating system on the folder itself: it leaves no file, and it ends with its process,
    even if that is killed. Windows has no such lock; there nothing is locked.

    Args:
        folder: The folder.

    Yields:
        Nothing.

    Raises:
        InputError: Another run has locked the folder.
        OSError: The folder cannot be created.
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
            raise InputError(f"Another rf is writing to {folder}; wait for it, or give another `out`.") from None
        except OSError:  # a network file system without locks
            pass
        yield
    finally:
        os.close(descriptor)
