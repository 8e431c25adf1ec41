"""Making a dataset: many processes, whole files, the same result however often it is stopped."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rfcli.dataset.manifest import (
    Entry,
    append_entry,
    read_manifest,
    read_record,
    sha256_of,
    write_manifest,
    write_record,
)
from rfcli.dataset.sample import HALF_MAX, Sample, write_sample
from rfcli.errors import InputError
from rfcli.scene.triangle_scene import TriangleScene

# From a scene's number to the scene, its images [V, R, R, 3] and the draws rejected before it, by reason.
Source = Callable[[int], tuple[TriangleScene, npt.NDArray[np.float32], Mapping[str, int]]]


@dataclass(frozen=True)
class Generated:
    """What a run did: all entries of the dataset, and how many of them it found finished."""

    entries: tuple[Entry, ...]
    kept: int


def generate(
    folder: str | Path,
    scenes: int,
    source: Source,
    options: Mapping[str, Any],
    seed: int,
    workers: int,
    progress: Callable[[Entry], None] = lambda entry: None,
) -> Generated:
    """Write scenes 0..scenes-1 into `folder`, going on from what is finished there.

    source: makes scene i; picklable, since `workers` fresh processes call it. options: what makes the dataset what it
    is, recorded in dataset.json with the seed. progress: called for each scene as its file is whole.
    Raises InputError where the folder holds a dataset of other options or cannot be written. Ctrl-C keeps the scenes
    that are finished or under way, then raises KeyboardInterrupt.
    """
    folder = Path(folder)
    record = {"format": 1, "seed": seed, "options": dict(options)}
    finished = open_dataset(folder, record)
    entries = list(finished)
    todo = [i for i in range(scenes) if i not in {entry.index for entry in finished}]
    try:
        for entry in run(folder, todo, source, seed, workers):
            append_entry(folder, entry)
            entries.append(entry)
            progress(entry)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error}); free some space or give another --out.") from error
    finally:
        write_record(folder, record | counts(entries))
    return Generated(tuple(sorted(entries, key=lambda entry: entry.index)), len(finished))


def open_dataset(folder: Path, record: Mapping[str, Any]) -> list[Entry]:
    """Make the folder, or check that it goes on with the same options; return the scenes that are whole."""
    try:
        (folder / "scenes").mkdir(parents=True, exist_ok=True)
        before = read_record(folder)
        if before is None:
            if read_manifest(folder):
                raise InputError(f"{folder} has scenes but no dataset.json; give another --out.")
            write_record(folder, record)
        else:
            compare(folder, before, record)
        for torn in (folder / "scenes").glob(".*.part"):
            torn.unlink()
        entries = [entry for entry in read_manifest(folder) if (folder / entry.file).exists()]
        write_manifest(folder, entries)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error}); give another --out.") from error
    return entries


def compare(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise InputError that names each option in which the dataset differs."""
    old = {"seed": before.get("seed"), **before.get("options", {})}
    new = {"seed": now["seed"], **now["options"]}
    differences = [
        f"{name} is {old.get(name)} there and {new.get(name)} here"
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]
    if differences:
        raise InputError(
            f"{folder} was made with other options: {', '.join(differences)}; use the same options or another --out."
        )


def run(folder: Path, todo: list[int], source: Source, seed: int, workers: int) -> Iterator[Entry]:
    """Entries of the scenes in `todo`, in that order, made by `workers` processes a few scenes ahead."""
    context = multiprocessing.get_context("spawn")  # a fork would copy the renderer's threads half
    remaining, ahead = deque(todo), deque[Future[Entry]]()
    with ProcessPoolExecutor(max(1, min(workers, len(todo))), context, ignore_interrupts) as pool:
        try:
            while remaining or ahead:
                while remaining and len(ahead) < 2 * workers:
                    ahead.append(pool.submit(make, folder, remaining.popleft(), source, seed))
                yield ahead.popleft().result()
        except KeyboardInterrupt:
            for future in ahead:
                future.cancel()
            for future in ahead:
                if not future.cancelled():
                    yield future.result()
            raise


def make(folder: Path, index: int, source: Source, seed: int) -> Entry:
    """Make one scene and write its file."""
    scene, images, rejected = source(index)
    name = f"scenes/{index:06d}.h5"
    write_sample(folder / name, Sample(scene, np.clip(images, 0.0, HALF_MAX).astype(np.float16)))
    path = folder / name
    return Entry(
        index, name, seed, len(scene), len(images), path.stat().st_size, sha256_of(path), dict(rejected)
    )


def ignore_interrupts() -> None:
    """Ctrl-C is the parent's to handle: a worker finishes its scene. Workers do not crowd each other's cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"


def counts(entries: list[Entry]) -> dict[str, Any]:
    """Totals for dataset.json."""
    rejected: dict[str, int] = {}
    for entry in entries:
        for reason, number in entry.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + number
    return {
        "scenes": len(entries),
        "views": sum(entry.views for entry in entries),
        "bytes": sum(entry.bytes for entry in entries),
        "rejected": dict(sorted(rejected.items())),
    }
