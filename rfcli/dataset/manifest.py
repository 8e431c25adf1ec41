"""manifest.jsonl: the list of finished scenes, one JSON object per line."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rfcli.dataset.files import file_size, replace_text
from rfcli.errors import InputError

MANIFEST = "manifest.jsonl"
# Scenes may lie only in the dataset's own folder, because merging and packing copy the files that a manifest names.
SCENE_FILE = re.compile(r"(scenes|packs/\d{6,12}\.tar)/\d{6,12}\.h5")
HASH_LENGTH = 64
MAX_COUNT = 2**63


class Entry(NamedTuple):
    """One finished scene.

    A named tuple because datasets have millions of entries, and a tuple is created in a third of the time of a
    dataclass.

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


def read_manifest(folder: str | Path) -> list[Entry]:
    """Reads the manifest of a dataset.

    An incomplete last line, left by a crash, is ignored.

    Args:
        folder: The dataset.

    Returns:
        Finished scenes, sorted by index; empty if there is no manifest.

    Raises:
        InputError: A line is broken.
    """
    path, entries = Path(folder) / MANIFEST, []
    if not path.exists():
        return []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break  # incomplete
            try:
                entries.append(_parse_entry(json.loads(line)))
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                raise InputError(
                    f"{path} line {number} is broken ({error}); delete that line and generate the dataset again."
                ) from error
    return sorted(entries, key=lambda entry: entry.index)


def _parse_entry(values: Any) -> Entry:
    """Entry from the JSON of one line. Raises ValueError or TypeError if a value is not valid."""
    entry = Entry(**values)
    if not SCENE_FILE.fullmatch(entry.file):
        raise ValueError(f"{entry.file[:100]!r} is not the path of a scene")
    if type(entry.sha256) is not str or len(entry.sha256) != HASH_LENGTH:
        raise ValueError("its sha256 is not a hash")
    counts = (entry.index, entry.seed, entry.triangles, entry.views, entry.bytes, *entry.rejected.values())
    if not ({int}.issuperset(map(type, counts)) and min(counts) >= 0 and max(counts) < MAX_COUNT):  # bool is no count
        raise ValueError("a count is not a whole number of 0 or more")
    return entry


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
