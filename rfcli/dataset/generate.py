"""Generation of a dataset: the same files for any number of processes and any number of interruptions."""

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from rfcli.dataset.files import write_error
from rfcli.dataset.local_engine import Engine, Source, generate_locally
from rfcli.dataset.manifest import Entry, append_entry, is_complete, read_manifest, write_manifest
from rfcli.dataset.record import FORMAT, installed_versions, read_record, record_differences, totals, write_record
from rfcli.dataset.shards import WHOLE, Shard
from rfcli.errors import InputError
from rfcli.runtime.files import clear_unfinished


def open_dataset(folder: str | Path, options: Mapping[str, Any], seed: int) -> list[Entry]:
    """Creates a dataset, or opens one to resume it.

    Removes everything that a killed run left: unfinished files, an incomplete line of the manifest, and lines whose
    file is missing or has another size.

    Args:
        folder: The dataset; created if it does not exist.
        options: Everything besides the seed that determines the scenes (JSON types); stored in dataset.json.
        seed: Seed of the scenes.

    Returns:
        The finished scenes.

    Raises:
        InputError: The folder holds a dataset of other options or another seed, or it cannot be written.
    """
    folder = Path(folder)
    record = {"format": FORMAT, "seed": seed, "options": dict(options)}
    try:
        (folder / "scenes").mkdir(parents=True, exist_ok=True)
        before = read_record(folder)
        if before is not None:
            _require_equal_options(folder, before, record)
        elif read_manifest(folder):
            raise InputError(f"{folder} has scenes but no dataset.json; choose another folder.")
        clear_unfinished(folder)
        clear_unfinished(folder / "scenes")
        entries = [entry for entry in read_manifest(folder) if is_complete(folder, entry)]
        write_manifest(folder, entries)
        asked = {"asked": before["asked"]} if before and "asked" in before else {}  # of a shard: see `generate_scenes`
        write_record(folder, {**record, "versions": installed_versions(), **totals(entries), **asked})
    except OSError as error:
        raise write_error(folder, error) from error
    return entries


def generate_scenes(
    folder: str | Path,
    scenes: int,
    source: Source,
    workers: int,
    shard: Shard = WHOLE,
    engine: Engine = generate_locally,
) -> Iterator[Entry]:
    """Generates the scenes that an opened dataset lacks.

    On Ctrl-C the scenes in progress are finished and yielded, then KeyboardInterrupt is raised.

    Args:
        folder: A dataset opened by `open_dataset`.
        scenes: Number of scenes of the whole dataset.
        source: Makes a scene from its number; must be picklable.
        workers: Number of processes.
        shard: The part of the dataset to generate. dataset.json of a shard also holds the size of the whole dataset.
        engine: Distributes the work; processes of this machine by default.

    Yields:
        Each scene when its file is complete, in order of the scenes' numbers.

    Raises:
        InputError: The folder cannot be written, or a worker process was killed.
    """
    folder = Path(folder)
    record, entries = read_record(folder) or {}, list(read_manifest(folder))
    finished = {entry.index for entry in entries}
    missing = [index for index in shard.indices(scenes) if index not in finished]
    try:
        if shard != WHOLE:
            record["asked"] = max(scenes, record.get("asked", 0))
            write_record(folder, record)
        with closing(engine(folder, missing, source, record["seed"], workers)) as run:
            for entry in run:
                append_entry(folder, entry)
                entries.append(entry)
                yield entry
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        with suppress(OSError):
            write_record(folder, {**record, **totals(entries)})


def _require_equal_options(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises InputError that names each option in which the existing dataset differs."""
    different = record_differences(before, now)
    if different:
        raise InputError(
            f"{folder} was made with other options ({', '.join(different)}); "
            "give the same options or choose another folder."
        )
