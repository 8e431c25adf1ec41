"""Making a dataset: the same files whatever the number of processes and however often it was stopped."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rfcli.dataset.manifest import (
    Entry,
    append_entry,
    is_whole,
    read_manifest,
    read_record,
    write_manifest,
    write_record,
)
from rfcli.dataset.processes import Engine, Source, made
from rfcli.dataset.shard import WHOLE, Shard
from rfcli.errors import InputError
from rfcli.runtime.files import clear_unfinished

FORMAT = 2  # one higher whenever the same seed and options come to mean other scenes
VERSIONS_OF = ("rfcli", "numpy", "trimesh", "manifold3d", "mitsuba", "pyoidn")


def open_dataset(folder: str | Path, options: Mapping[str, Any], seed: int) -> list[Entry]:
    """Make the folder, or check that it goes on with the same options and seed; return the scenes that are whole.

    options: what makes the dataset what it is (JSON types), recorded in dataset.json. Clears away what a killed run
    left: unfinished files, a torn line of the manifest, lines without a file or with one of another length.
    Raises InputError where the folder holds a dataset of other options or cannot be written.
    """
    folder = Path(folder)
    record = {"format": FORMAT, "seed": seed, "options": dict(options)}
    try:
        (folder / "scenes").mkdir(parents=True, exist_ok=True)
        before = read_record(folder)
        if before is not None:
            compare(folder, before, record)
        elif read_manifest(folder):
            raise InputError(f"{folder} has scenes but no dataset.json; give another --out.")
        clear_unfinished(folder)
        clear_unfinished(folder / "scenes")
        entries = [entry for entry in read_manifest(folder) if is_whole(folder, entry)]
        write_manifest(folder, entries)
        asked = {"asked": before["asked"]} if before and "asked" in before else {}  # of a shard: see `generate`
        write_record(folder, {**record, "versions": versions(), **totals(entries), **asked})
    except OSError as error:
        raise cannot_write(folder, error) from error
    return entries


def generate(
    folder: str | Path, scenes: int, source: Source, workers: int, shard: Shard = WHOLE, engine: Engine = made
) -> Iterator[Entry]:
    """Write those of the scenes 0..scenes-1 that the opened dataset lacks; yields each once its file is whole.

    source: makes scene i; picklable, since `workers` fresh processes call it. shard: whose scenes alone are made; the
    record then says how many the whole is to have. engine: who calls the source; processes of this machine by default.
    Raises InputError where the folder cannot be written. On Ctrl-C the scenes under way are finished and yielded, then
    KeyboardInterrupt is raised.
    """
    folder = Path(folder)
    record, entries = read_record(folder) or {}, read_manifest(folder)
    there = {entry.index for entry in entries}
    todo = [index for index in shard.indices(scenes) if index not in there]
    try:
        if shard != WHOLE:
            record["asked"] = max(scenes, record.get("asked", 0))
            write_record(folder, record)
        with closing(engine(folder, todo, source, record["seed"], workers)) as run:
            for entry in run:
                append_entry(folder, entry)
                entries.append(entry)
                yield entry
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        with suppress(OSError):
            write_record(folder, {**record, **totals(entries)})


def compare(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise InputError that names each option in which the dataset differs."""
    different = differences(before, now)
    if different:
        raise InputError(
            f"{folder} was made with other options ({', '.join(different)}); give the same options or another --out."
        )


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The options, among them format and seed, in which two records differ, in words."""
    a, b = ({"format": r.get("format"), "seed": r.get("seed"), **r.get("options", {})} for r in (there, here))
    return [
        f"{name} is {a.get(name)} there and {b.get(name)} here" for name in {**a, **b} if a.get(name) != b.get(name)
    ]


def cannot_write(folder: Path, error: OSError) -> InputError:
    """The sentence for a disk that is full or not ours."""
    reason = os.strerror(error.errno) if error.errno else str(error)  # h5py says it in a screenful
    return InputError(f"{folder} cannot be written ({reason}); free some space or give another --out.")


def totals(entries: list[Entry]) -> dict[str, Any]:
    """Counts for dataset.json."""
    rejected: Counter[str] = Counter()
    for entry in entries:
        rejected.update(entry.rejected)
    return {
        "scenes": len(entries),
        "views": sum(entry.views for entry in entries),
        "bytes": sum(entry.bytes for entry in entries),
        "rejected": dict(sorted(rejected.items())),
    }


def versions() -> dict[str, str]:
    """Versions of what shapes the data, for dataset.json."""
    found = {}
    for name in VERSIONS_OF:
        with suppress(ModuleNotFoundError):  # PackageNotFoundError: run from a checkout that was not installed
            found[name] = version(name)
    return found
