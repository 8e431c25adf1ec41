"""Where the files of a dataset lie: a folder, or a URL that fsspec understands (s3://, hf://, memory://)."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from rfcli.errors import InputError

ATTEMPTS = 3  # to read from a URL; a network fails now and then
RETRY_SECONDS = 2.0  # before the second attempt, twice as long before the third


class Section(NamedTuple):
    """Bytes `start` to `end` - 1 of the file `name`; the whole file if `end` is None."""

    name: str
    start: int = 0
    end: int | None = None


class Storage:
    """Reads the files of a dataset by their paths relative to it. Cheap to pickle: processes connect when they read.

    Args:
        place: A folder or a URL.
    """

    def __init__(self, place: str | Path) -> None:
        self.place = str(place)

    @property
    def remote(self) -> bool:
        """Whether the place is a URL."""
        return "://" in self.place

    def exists(self, name: str) -> bool:
        """Whether there is such a file. Raises InputError if the URL cannot be reached."""
        with self._readable():
            files, root = self._files()
            return bool(files.exists(f"{root}/{name}"))

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The file, open for reading from its start. Raises InputError if it cannot be read."""
        with self._readable():
            files, root = self._files()
            with files.open(f"{root}/{name}", "rb") as file:
                yield file

    def read(self, sections: Sequence[Section]) -> list[bytes | OSError]:
        """The content of each section, or the error that reading it raised; from a URL all at the same time."""
        found: list[bytes | OSError] = [OSError("not read")] * len(sections)
        missing = list(range(len(sections)))
        for attempt in range(ATTEMPTS if self.remote else 1):
            if attempt:
                time.sleep(RETRY_SECONDS * attempt)
            for place, content in zip(missing, self._read_once([sections[i] for i in missing]), strict=True):
                found[place] = content
            missing = [place for place in missing if _may_be_passing(found[place])]
            if not missing:
                break
        return found

    def _read_once(self, sections: Sequence[Section]) -> list[bytes | OSError]:
        try:
            files, root = self._files()
            paths, starts, ends = zip(*((f"{root}/{s.name}", s.start, s.end) for s in sections), strict=True)
            contents = files.cat_ranges(list(paths), list(starts), list(ends), on_error="return")
        except Exception as error:  # each file system has errors of its own
            contents = [error] * len(sections)
        return [content if isinstance(content, bytes) else _as_os_error(content) for content in contents]

    def _files(self) -> tuple[Any, str]:
        """The file system, which fsspec keeps once per process, and the path of the dataset in it."""
        import fsspec

        files, root = fsspec.core.url_to_fs(self.place)
        return files, root.rstrip("/")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Turns errors of a URL into an InputError."""
        if not self.remote:
            yield
            return
        try:
            yield
        except InputError:
            raise
        except ImportError as error:
            raise InputError(f"`data` {self.place} needs another package: {error}.") from error
        except Exception as error:  # each file system has errors of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"`data` {self.place} cannot be read ({reason}); check the URL, your access rights and the network."
            ) from error


def _as_os_error(error: Any) -> OSError:
    return error if isinstance(error, OSError) else OSError(str(error) or type(error).__name__)


def _may_be_passing(found: bytes | OSError) -> bool:
    """Whether another attempt may succeed."""
    return isinstance(found, OSError) and not isinstance(found, FileNotFoundError | PermissionError | IsADirectoryError)
