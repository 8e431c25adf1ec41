"""Shards become the dataset that one machine would have made."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rfcli.dataset.generate import cannot_write, differences, totals
from rfcli.dataset.manifest import Entry, is_whole, read_manifest, read_record, write_manifest, write_record
from rfcli.dataset.shard import Shard, read_shard
from rfcli.dataset.stored import on_disk
from rfcli.errors import InputError
from rfcli.runtime.files import clear_unfinished, replacing

NAMED = 5  # scenes or shards that are named in a message; the rest is counted


@dataclass(frozen=True)
class Part:
    """A shard's folder: which shard of how many scenes it is, what made it, and what is finished."""

    folder: Path
    shard: Shard
    asked: int
    record: dict[str, Any]
    entries: list[Entry]


def merge(folders: Sequence[str | Path], out: str | Path, merged: Callable[[], None] = lambda: None) -> list[Entry]:
    """Join all shards of a dataset in `out`, in the bytes of a run that was never divided; return its scenes.

    Files, scenes or packs of them, get a second name where the disk allows it (a hard link, which takes no space), else
    they are copied; the shards stay as they are. A merge that was stopped is simply begun again. merged: called after
    each file.
    Raises InputError where a shard is missing, unfinished, there twice or made with other options than the others,
    where a file is gone, or `out` holds a dataset already or cannot be written.
    """
    out, parts = Path(out), [read_part(Path(folder)) for folder in folders]
    if not parts:
        raise InputError("--merge needs the folders of shards; name those that `rf gen-data --shard` made.")
    belong_together(parts)
    if read_record(out) is not None:
        raise InputError(f"{out} holds a dataset already; give another --out.")
    entries = sorted((entry for part in parts for entry in part.entries), key=lambda entry: entry.index)
    try:
        for made in (out, out / "scenes", out / "packs"):  # by a merge that was killed
            clear_unfinished(made)
        for part in parts:
            for file in dict.fromkeys(on_disk(entry.file) for entry in part.entries):
                link(part.folder / file, out / file)
                merged()
        write_manifest(out, entries)
        whole = without_shard(parts[0].record)
        write_record(out, {**whole, "versions": joined_versions(parts), **totals(entries)})  # last: now it is a dataset
    except OSError as error:
        raise cannot_write(out, error) from error
    return entries


def read_part(folder: Path) -> Part:
    """The shard in `folder`. Raises InputError where it is none, or lacks scenes."""
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder} holds no dataset; give folders that `rf gen-data --shard` made.")
    if "shard" not in record["options"]:
        raise InputError(f"{folder} is a dataset of its own, no shard; give folders that `rf gen-data --shard` made.")
    part = Part(
        folder, read_shard(str(record["options"]["shard"])), record.get("asked", 0), record, read_manifest(folder)
    )
    wanted = set(part.shard.indices(part.asked))
    there = {entry.index for entry in part.entries if is_whole(folder, entry)}
    if wanted - there or not part.asked:
        raise InputError(
            f"{folder} lacks scenes {several(sorted(wanted - there))}; run the command that made it again, "
            "it goes on from there."
        )
    if there - wanted:
        raise InputError(
            f"{folder} holds scenes {several(sorted(there - wanted))}, which are not of shard {part.shard}."
        )
    return part


def belong_together(parts: Sequence[Part]) -> None:
    """Raise InputError unless the parts are all shards, each once, of one dataset."""
    first = parts[0]
    for part in parts[1:]:
        different = differences(without_shard(part.record), without_shard(first.record))
        if different:
            raise InputError(
                f"{part.folder} was made with other options than {first.folder} ({', '.join(different)}); "
                "give shards of one run."
            )
        if part.shard.parts != first.shard.parts or part.asked != first.asked:
            raise InputError(
                f"{part.folder} is shard {part.shard} of {part.asked} scenes, {first.folder} {first.shard} of "
                f"{first.asked}; give shards of one run."
            )
    for one, other in pairwise(sorted(parts, key=lambda part: part.shard.part)):
        if one.shard == other.shard:
            raise InputError(f"{one.folder} and {other.folder} are both shard {one.shard}; give each shard once.")
    count = first.shard.parts
    missing = sorted(set(range(1, count + 1)) - {part.shard.part for part in parts})
    if missing:
        raise InputError(
            f"--merge lacks shard {several([f'{part}/{count}' for part in missing])}; make it with `rf gen-data "
            "--shard`, or name its folder too."
        )


def without_shard(record: dict[str, Any]) -> dict[str, Any]:
    """The record of the whole dataset."""
    options = {name: value for name, value in record["options"].items() if name != "shard"}
    return {"format": record.get("format"), "seed": record.get("seed"), "options": options}


def joined_versions(parts: Sequence[Part]) -> dict[str, str]:
    """Versions of what shaped the data; all of them where shards differ."""
    names = dict.fromkeys(name for part in parts for name in part.record.get("versions", {}))
    said = [part.record.get("versions", {}) for part in parts]
    return {name: ", ".join(sorted({str(one[name]) for one in said if name in one})) for name in names}


def link(source: Path, target: Path) -> None:
    """`target` becomes the same file as `source`, or a copy where it cannot; it is whole or absent."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as beside:
        beside.unlink(missing_ok=True)
        try:
            os.link(source, beside)
        except OSError:
            shutil.copyfile(source, beside)


def several(things: Sequence[object]) -> str:
    """The first few of them, and how many more there are."""
    named = ", ".join(str(thing) for thing in things[:NAMED])
    return named + (f" and {len(things) - NAMED} more" if len(things) > NAMED else "")
