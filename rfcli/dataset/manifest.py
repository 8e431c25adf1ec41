"""manifest.jsonl: the list of finished scenes, one JSON object per line."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from rfcli.dataset.files import file_size, replace_text
from rfcli.dataset.storage import Storage
from rfcli.errors import InputError

MANIFEST = "manifest.jsonl"
# Scenes may lie only in the dataset's own folder, because merging and packing copy the files that a manifest names.
SCENE_FILE = re.compile(r"(scenes|packs/\d{6,12}\.tar)/(\d{6,12})\.h5")
# A line as `_json_line` writes it. Other lines are parsed as JSON, which takes several times as long.
USUAL_LINE = re.compile(
    rb'^\{"index": (\d{1,18}), "file": "(scenes|packs/\d{6,12}\.tar)/(\d{6,12})\.h5", "seed": (\d{1,18}), '
    rb'"triangles": (\d{1,18}), "views": (\d{1,18}), "bytes": (\d{1,18}), "sha256": "([0-9a-f]{64})", '
    rb'"rejected": (\{[^{}\n]*\})\}\n',
    re.MULTILINE,
)
BLOCK_BYTES = 1 << 18  # of the file, parsed at once; larger blocks do not fit in the cache of a core
HASH = re.compile("[0-9a-f]{64}")
MAX_COUNT = 2**63

Integers = npt.NDArray[np.int64]


class Entry(NamedTuple):
    """One finished scene.

    Attributes:
        index: Number of the scene in its dataset.
        file: Path relative to the dataset's folder.
        seed: Seed of the dataset.
        triangles: Number of triangles.
        views: Number of cameras.
        bytes: Size of the file.
        sha256: Hash of the file's content, hexadecimal.
        rejected: Number of rejected candidates before this scene, by reason.
    """

    index: int  # type: ignore[assignment]  # replaces the method of tuples
    file: str
    seed: int
    triangles: int
    views: int
    bytes: int
    sha256: str
    rejected: Mapping[str, int] = {}


class Manifest(Sequence[Entry]):
    """The finished scenes of a dataset, sorted by index, as columns: about 100 bytes per scene.

    Attributes:
        numbers: [S] numbers of the scenes.
        folder: [S] index into `folders` of the folder or TAR that the scene's file is in.
        name: [S] name of the scene's file there, without suffix.
        seed: [S].
        triangles: [S].
        views: [S].
        size: [S] bytes of the scene's file.
        sha256: [S, 32] uint8.
        rejected: [S] index into `rejections`.
        folders: Folders and TARs, relative to the dataset.
        rejections: All different counts of rejected candidates.
    """

    def __init__(self, blocks: Iterable["_Block"]) -> None:
        parts = list(blocks)
        folders: dict[str, int] = {}
        rejections: dict[tuple[tuple[str, int], ...], int] = {}
        for part in parts:
            part.renumber(folders, rejections)
        self.folders, self.rejections = list(folders), [dict(counts) for counts in rejections]

        def column(get: str, empty: npt.NDArray[Any]) -> npt.NDArray[Any]:
            joined = np.concatenate([getattr(part, get) for part in parts]) if parts else empty
            return joined[order] if order is not None else joined

        order: Integers | None = None
        none = np.zeros(0, np.int64)
        numbers: Integers = column("numbers", none)
        if (np.diff(numbers) < 0).any():
            order = np.argsort(numbers, kind="stable")
        self.numbers = numbers if order is None else numbers[order]
        self.folder, self.seed = column("folder", none), column("seed", none)
        self.triangles, self.views = column("triangles", none), column("views", none)
        self.size, self.rejected = column("size", none), column("rejected", none)
        self.name = column("name", np.zeros(0, "S6"))
        self.sha256 = column("sha256", np.zeros((0, 32), np.uint8))

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Entry: ...

    @overload
    def __getitem__(self, place: slice) -> list[Entry]: ...

    def __getitem__(self, place: int | slice) -> Entry | list[Entry]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        return Entry(
            int(self.numbers[place]),
            self.file(place),
            int(self.seed[place]),
            int(self.triangles[place]),
            int(self.views[place]),
            int(self.size[place]),
            self.sha256[place].tobytes().hex(),
            dict(self.rejections[self.rejected[place]]),
        )

    def file(self, place: int) -> str:
        """Path of a scene's file relative to the dataset."""
        return f"{self.folders[self.folder[place]]}/{self.name[place].decode()}.h5"


class _Block:
    """Columns of some lines, with names of their own for folders and counts of rejections; see `Manifest`."""

    def __init__(self, columns: Sequence[Sequence[Any]], rejections: Mapping[Any, Mapping[str, int]]) -> None:
        index, folder, name, seed, triangles, views, size, sha256, rejected = columns

        def integers(values: Sequence[Any]) -> Integers:
            return np.fromiter(map(int, values), np.int64, len(values))

        self.numbers, self.seed, self.triangles = integers(index), integers(seed), integers(triangles)
        self.views, self.size, self.name = integers(views), integers(size), np.array(name, dtype=np.bytes_)
        self.sha256 = np.frombuffer(bytes.fromhex((b"" if not sha256 else b"".join(sha256)).decode()), np.uint8)
        self.sha256 = self.sha256.reshape(-1, 32)
        self._folder, self._rejected, self._rejections = folder, rejected, rejections

    def renumber(self, folders: dict[str, int], rejections: dict[tuple[tuple[str, int], ...], int]) -> None:
        """Number folders and rejections as in the whole manifest; new ones are added to the dicts."""
        numbers = {name: folders.setdefault(name.decode(), len(folders)) for name in dict.fromkeys(self._folder)}
        kinds = {
            text: rejections.setdefault(tuple(counts.items()), len(rejections))
            for text, counts in self._rejections.items()
        }
        count = len(self.numbers)
        self.folder = np.fromiter((numbers[name] for name in self._folder), np.int64, count)
        self.rejected = np.fromiter((kinds[text] for text in self._rejected), np.int64, count)
        self._folder = self._rejected = ()


def read_manifest(folder: str | Path) -> Manifest:
    """Reads the manifest of a dataset.

    An incomplete last line, left by a crash, is ignored. Two million scenes take about ten seconds and 500 MB.

    Args:
        folder: The dataset: a folder, or a URL that fsspec understands.

    Returns:
        Finished scenes, sorted by index; empty if there is no manifest.

    Raises:
        InputError: A line is broken, or the URL cannot be read.
    """
    storage = Storage(folder)
    if not storage.exists(MANIFEST):
        return Manifest([])
    with storage.open(MANIFEST) as file:
        return Manifest(_blocks(file, f"{folder}/{MANIFEST}"))


def _blocks(file: IO[bytes], path: str) -> Iterator[_Block]:
    """The columns of the file, block by block. path: for messages."""
    rest, lines = b"", 0
    while read := file.read(BLOCK_BYTES):
        text = rest + read
        end = text.rfind(b"\n") + 1
        text, rest = text[:end], text[end:]
        count = text.count(b"\n")
        if count:
            yield _usual_block(text, count) or _any_block(text, lines, path)
        lines += count


def _usual_block(text: bytes, lines: int) -> _Block | None:
    """Columns of complete lines; None if one of them is not a `USUAL_LINE`."""
    found = USUAL_LINE.findall(text)
    if len(found) != lines:
        return None
    columns = list(zip(*found, strict=True))
    try:
        rejections = {one: _rejections(json.loads(one)) for one in set(columns[-1])}
    except (ValueError, TypeError):
        return None
    return _Block(columns, rejections)


def _any_block(text: bytes, lines: int, path: str) -> _Block:
    """Columns of complete lines, each parsed as JSON. Raises InputError that names a broken line."""
    rows, rejections = [], {}
    for number, line in enumerate(text.split(b"\n")[:-1], start=lines + 1):
        try:
            entry = _parse_entry(json.loads(line))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{path} line {number} is broken ({error}); delete that line and generate the dataset again."
            ) from error
        folder, _, name = entry.file.removesuffix(".h5").rpartition("/")
        counts = tuple(entry.rejected.items())
        rejections[counts] = entry.rejected
        rows.append(
            (
                *(entry.index, folder.encode(), name.encode(), entry.seed, entry.triangles, entry.views, entry.bytes),
                *(entry.sha256.encode(), counts),
            )
        )
    return _Block(list(zip(*rows, strict=True)), rejections)


def _parse_entry(values: Any) -> Entry:
    """Entry from the JSON of one line. Raises ValueError or TypeError if a value is not valid."""
    entry = Entry(**values)
    if not SCENE_FILE.fullmatch(entry.file):
        raise ValueError(f"{entry.file[:100]!r} is not the path of a scene")
    if type(entry.sha256) is not str or not HASH.fullmatch(entry.sha256):
        raise ValueError("its sha256 is not a hash")
    counts = (entry.index, entry.seed, entry.triangles, entry.views, entry.bytes)
    if not ({int}.issuperset(map(type, counts)) and min(counts) >= 0 and max(counts) < MAX_COUNT):  # bool is no count
        raise ValueError("a count is not a whole number of 0 or more")
    _rejections(entry.rejected)
    return entry


def _rejections(counts: Any) -> dict[str, int]:
    """Counts of rejected candidates. Raises ValueError or TypeError if they are not valid."""
    if not all(type(count) is int and 0 <= count < MAX_COUNT for count in counts.values()):
        raise ValueError("a count is not a whole number of 0 or more")
    return dict(counts)


def write_manifest(folder: str | Path, entries: Sequence[Entry]) -> None:
    """Replaces the manifest."""
    replace_text(Path(folder) / MANIFEST, "".join(_json_line(entry) for entry in entries))


def append_entry(folder: str | Path, entry: Entry) -> None:
    """Adds one finished scene; returns when the line is on disk."""
    with open(Path(folder) / MANIFEST, "a", encoding="utf-8") as file:
        file.write(_json_line(entry))
        file.flush()
        os.fsync(file.fileno())


def is_complete(folder: Path, entry: Entry) -> bool:
    """Whether the scene's file exists in its full size; `check_dataset` verifies the content."""
    return file_size(folder / entry.file) == entry.bytes


def _json_line(entry: Entry) -> str:
    return json.dumps(entry._asdict()) + "\n"
