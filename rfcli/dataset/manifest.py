"""The list of finished scenes and the record of the options that made them."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rfcli.dataset.stored import bytes_of, size_of
from rfcli.errors import InputError
from rfcli.runtime.files import replacing

MANIFEST = "manifest.jsonl"
RECORD = "dataset.json"
LARGEST_RECORD = 1_000_000  # bytes
# Where a scene may lie: nowhere but in the dataset's own folder, since merging and packing copy what is named there.
FILE = re.compile(r"(scenes|packs/\d{6,12}\.tar)/\d{6,12}\.h5")
HASH_LENGTH = 64
INTEGERS, LARGEST_COUNT = {int}, 2**63  # bool is not among them


class Entry(NamedTuple):
    """One finished scene: its number, its file (relative to the dataset), what it holds, draws rejected before it.

    A tuple, as datasets have millions of them: those are made in a third of a dataclass's time.
    """

    index: int  # type: ignore[assignment]  # not the method of tuples, which nobody misses
    file: str
    seed: int
    triangles: int
    views: int
    bytes: int
    sha256: str
    rejected: Mapping[str, int] = {}


def read_manifest(folder: str | Path) -> list[Entry]:
    """Finished scenes in order of their numbers; none where there is no manifest yet.

    A last line torn by a crash is left out. Raises InputError where another line is broken.
    """
    path, entries = Path(folder) / MANIFEST, []
    if not path.exists():
        return []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break  # torn
            try:
                entries.append(entry_of(json.loads(line)))
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                raise InputError(
                    f"{path} line {number} is broken ({error}); delete that line and run `rf gen-data` again."
                ) from error
    return sorted(entries, key=lambda entry: entry.index)


def entry_of(values: Any) -> Entry:
    """The entry that a line of the manifest says. Raises ValueError or TypeError where it says anything else."""
    entry = Entry(**values)
    if not FILE.fullmatch(entry.file):
        raise ValueError(f"no scene of a dataset is called {entry.file[:100]!r}")
    if type(entry.sha256) is not str or len(entry.sha256) != HASH_LENGTH:
        raise ValueError("its sha256 is not one")
    counts = (entry.index, entry.seed, entry.triangles, entry.views, entry.bytes, *entry.rejected.values())
    if not (INTEGERS.issuperset(map(type, counts)) and min(counts) >= 0 and max(counts) < LARGEST_COUNT):
        raise ValueError("what should be a count is none")
    return entry


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
    return json.dumps(entry._asdict()) + "\n"


def read_record(folder: str | Path) -> dict[str, Any] | None:
    """What dataset.json says, None where there is none. Raises InputError where it is broken."""
    path = Path(folder) / RECORD
    if not path.exists():
        return None
    try:
        if path.stat().st_size > LARGEST_RECORD:
            raise ValueError("it is too large")
        record = json.loads(path.read_text(encoding="utf-8"))
        types = {"seed": int, "options": dict, "versions": dict, "asked": int}
        if not isinstance(record, dict) or not {"seed", "options"} <= set(record):
            raise ValueError("it lacks seed and options")
        wrong = [name for name, kind in types.items() if type(record.get(name, kind())) is not kind]
        if wrong:
            raise ValueError(f"{' and '.join(wrong)} of another type than rf writes")
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is broken ({error}); give another --out, or delete the folder and begin again."
        ) from error
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
