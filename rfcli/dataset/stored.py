"""Files of a dataset by their path, also those that lie in a TAR: `packs/000000.tar/000012.h5`."""

import os
import tarfile
from functools import lru_cache
from pathlib import Path

INDEXED = 256  # TARs whose lists of files are kept in memory


def size_of(path: Path) -> int | None:
    """Length of the file in bytes, None where it is not there."""
    if path.is_file():
        return path.stat().st_size
    place = place_of(path)
    return None if place is None else place[1]


def bytes_of(path: Path) -> bytes:
    """What the file holds. Raises OSError where it is not there or cannot be read."""
    place = None if path.is_file() else place_of(path)
    if place is None:
        return path.read_bytes()
    with open(path.parent, "rb") as tar:
        tar.seek(place[0])
        return tar.read(place[1])


def on_disk(file: str) -> str:
    """The file itself, or the TAR in which it lies."""
    return file.rpartition("/")[0] if ".tar/" in file else file


def place_of(path: Path) -> tuple[int, int] | None:
    """Where in its TAR the file begins and how long it is, in bytes; None where it is in none."""
    if path.parent.suffix != ".tar" or not path.parent.is_file():
        return None
    status = os.stat(path.parent)
    return index(path.parent, status.st_size, status.st_mtime_ns).get(path.name)


@lru_cache(INDEXED)
def index(tar: Path, size: int, modified: int) -> dict[str, tuple[int, int]]:
    """Place and length of every file in the TAR; none where it is broken. size and modified tell a newer one apart."""
    try:
        with tarfile.open(tar, "r:") as file:
            return {member.name: (member.offset_data, member.size) for member in file if member.isfile()}
    except tarfile.TarError:
        return {}
