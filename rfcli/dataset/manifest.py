"""The list of finished scenes and the record of the options that made them."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rfcli.atomic import replacing
from rfcli.dataset.stored import bytes_of, size_of
from rfcli.errors import InputError

MANIFEST = "manifest.jsonl"
RECORD = "dataset.json"


@dataclass(frozen=True)
class Entry:
    """One finished scene: its number, its file (relative to the dataset), what it holds, draws rejected before it."""

    index: int
    file: str
    seed: int
    triangles: int
    views: int
    bytes: int
    sha256: str
    rejected: Mapping[str, int] = field(default_factory=dict)


def read_manifest(folder: str | Path) -> list[Entry]:
    """Finished scenes in order of their numbers; none where there is no manifest yet.

    A last line torn by a crash is left out. Raises InputError where another line is broken.
    """
    path = Path(folder) / MANIFEST
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else [""]
    entries = []
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last newline is torn
        try:
            entries.append(Entry(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{path} line {number} is broken; delete that line and run `rf gen-data` again."
            ) from error
    return sorted(entries, key=lambda entry: entry.index)


def write_manifest(folder: str | Path, entries: Sequence[Entry]) -> None:
    """Replace the manifest by these entries."""
    replace_text(Path(folder) / MANIFEST, "".join(line(entry) for entry in entries))


def append_entry(folder: str | Path, entry: Entry) -> None:
    """Add one finished scene, on the disk when this returns."""
    with open(Path(folder) / MANIFEST, "a", encoding="utf-8") as file:
        file.write(line(entry))
        file.flush()
        os.fsync(file.fileno())


def is_whole(folder: Path, entry: Entry) -> bool:
    """Whether the scene's file is there with all its bytes; `check` looks at what they are."""
    return size_of(folder / entry.file) == entry.bytes


def line(entry: Entry) -> str:
    """The entry as a line of JSON."""
    return json.dumps(asdict(entry)) + "\n"


def read_record(folder: str | Path) -> dict[str, Any] | None:
    """What dataset.json says, None where there is none. Raises InputError where it is broken."""
    path = Path(folder) / RECORD
    if not path.exists():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is broken; give another --out, or delete the folder and begin again.") from error
    return record


def write_record(folder: str | Path, record: Mapping[str, Any]) -> None:
    """Replace dataset.json."""
    replace_text(Path(folder) / RECORD, json.dumps(record, indent=2) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write the file whole or leave the old one."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def sha256_of(path: str | Path) -> str:
    """Hash of a file's bytes, hexadecimal."""
    return hashlib.sha256(bytes_of(Path(path))).hexdigest()
