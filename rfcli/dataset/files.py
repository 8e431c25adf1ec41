"""Files of a dataset by path, on disk or inside a TAR: `packs/000000.tar/000012.h5`."""

import hashlib
import os
import tarfile
from functools import lru_cache
from pathlib import Path

from rfcli.errors import InputError
from rfcli.runtime.files import replacing

MAX_CACHED_TARS = 256  # whose lists of members are kept in memory


def file_size(path: Path) -> int | None:
    """Size of the file in bytes; None if it does not exist."""
    if path.is_file():
        return path.stat().st_size
    location = _location_in_tar(path)
    return None if location is None else location[1]


def read_bytes(path: Path) -> bytes:
    """Content of the file. Raises OSError if it does not exist or cannot be read."""
    location = None if path.is_file() else _location_in_tar(path)
    if location is None:
        return path.read_bytes()
    with open(path.parent, "rb") as tar:
        tar.seek(location[0])
        return tar.read(location[1])


def sha256_of(path: str | Path) -> str:
    """SHA-256 of the file's content, hexadecimal."""
    return hashlib.sha256(read_bytes(Path(path))).hexdigest()


def file_on_disk(file: str) -> str:
    """The file itself, or the TAR that contains it."""
    return file.rpartition("/")[0] if ".tar/" in file else file


def replace_text(path: Path, text: str) -> None:
    """Writes a text file; on an error the old file stays."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_error(folder: Path, error: OSError) -> InputError:
    """The error to raise when a dataset cannot be written."""
    reason = os.strerror(error.errno) if error.errno else str(error)  # the message of h5py is very long
    return InputError(f"{folder} cannot be written ({reason}); free some space or choose another folder.")


def _location_in_tar(path: Path) -> tuple[int, int] | None:
    """Offset and size in bytes within the TAR; None if the path is not that of a TAR member."""
    if path.parent.suffix != ".tar" or not path.parent.is_file():
        return None
    status = os.stat(path.parent)
    return _tar_members(path.parent, status.st_size, status.st_mtime_ns).get(path.name)


@lru_cache(MAX_CACHED_TARS)
def _tar_members(tar: Path, size: int, modified: int) -> dict[str, tuple[int, int]]:
    """Offset and size of each member by name; empty for a broken TAR. `size` and `modified` detect a replaced TAR."""
    try:
        with tarfile.open(tar, "r:") as file:
            return {member.name: (member.offset_data, member.size) for member in file if member.isfile()}
    except tarfile.TarError:
        return {}
