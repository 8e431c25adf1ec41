"""Shards: parts of a dataset that are generated separately, and merged into the dataset of a single run."""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rfcli.dataset.files import file_on_disk, write_error
from rfcli.dataset.manifest import Entry, is_complete, read_manifest, write_manifest
from rfcli.dataset.record import read_record, record_differences, totals, write_record
from rfcli.errors import InputError
from rfcli.runtime.files import clear_unfinished, replacing

MAX_LISTED = 5  # scenes or shards listed in a message; more are counted


@dataclass(frozen=True)
class Shard:
    """One of `parts` parts of a dataset: every `parts`-th scene, starting with scene `part` - 1.

    All shards take about the same time, and all grow if the dataset grows.

    Attributes:
        part: Number of the shard, from 1.
        parts: Number of shards of the dataset.

    Raises:
        InputError: `part` is not in 1..`parts`.
    """

    part: int
    parts: int

    def __post_init__(self) -> None:
        if not 1 <= self.part <= self.parts:
            raise InputError(
                f"`shard` {self} does not exist; the first number must be at least 1 and at most the second."
            )

    def __str__(self) -> str:
        return f"{self.part}/{self.parts}"

    def indices(self, scenes: int) -> range:
        """Numbers of its scenes in a dataset of `scenes` scenes."""
        return range(self.part - 1, scenes, self.parts)


WHOLE = Shard(1, 1)


def parse_shard(text: str) -> Shard:
    """Shard from text such as "3/16". Raises InputError for other text."""
    match = re.fullmatch(r"\s*(\d{1,7})\s*/\s*(\d{1,7})\s*", text)
    if match is None:
        raise InputError(f"`shard` '{text}' is not valid; write 3/16 for the third of sixteen shards.")
    return Shard(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class _ShardFolder:
    """A finished shard on disk. asked: number of scenes requested for the whole dataset."""

    folder: Path
    shard: Shard
    asked: int
    record: dict[str, Any]
    entries: Sequence[Entry]


def merge_shards(
    folders: Sequence[str | Path], out: str | Path, on_file: Callable[[], None] = lambda: None
) -> list[Entry]:
    """Merges all shards of a dataset; the result is identical to the dataset of a single run.

    Files (scenes, or packs of scenes) are hard links if the file system supports it, which take no space, else copies.
    The shards stay unchanged. An interrupted merge can be started again.

    Args:
        folders: The folders of all shards, in any order.
        out: Folder of the merged dataset; must not hold a dataset.
        on_file: Called after each file.

    Returns:
        The scenes of the merged dataset, sorted by index.

    Raises:
        InputError: A shard is missing, unfinished, given twice or made with other options than the others; a file is
            missing; `out` holds a dataset or cannot be written.
    """
    out, shards = Path(out), [_read_shard_folder(Path(folder)) for folder in folders]
    if not shards:
        raise InputError("Merging needs the folders of all shards; none was given or found.")
    _require_matching_shards(shards)
    if read_record(out) is not None:
        raise InputError(f"{out} already holds a dataset; choose another folder.")
    entries = sorted((entry for shard in shards for entry in shard.entries), key=lambda entry: entry.index)
    try:
        for folder in (out, out / "scenes", out / "packs"):
            clear_unfinished(folder)  # left by a killed merge
        for shard in shards:
            for file in dict.fromkeys(file_on_disk(entry.file) for entry in shard.entries):
                _link_or_copy(shard.folder / file, out / file)
                on_file()
        write_manifest(out, entries)
        record = {**_whole_record(shards[0].record), "versions": _joined_versions(shards), **totals(entries)}
        write_record(out, record)  # last: it makes the folder a dataset
    except OSError as error:
        raise write_error(out, error) from error
    return entries


def _read_shard_folder(folder: Path) -> _ShardFolder:
    """The shard in `folder`. Raises InputError if it is not a shard, or not finished."""
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder} holds no dataset; give the folders of shards.")
    if "shard" not in record["options"]:
        raise InputError(f"{folder} is a whole dataset and not a shard; give the folders of shards.")
    shard, asked = parse_shard(str(record["options"]["shard"])), record.get("asked", 0)
    entries = read_manifest(folder)
    expected = set(shard.indices(asked))
    found = {entry.index for entry in entries if is_complete(folder, entry)}
    if expected - found or not asked:
        raise InputError(
            f"{folder} lacks scenes {_listed(sorted(expected - found))}; run the command that made it again to finish "
            "it."
        )
    if found - expected:
        raise InputError(
            f"{folder} holds scenes {_listed(sorted(found - expected))}, which do not belong to shard {shard}."
        )
    return _ShardFolder(folder, shard, asked, record, entries)


def _require_matching_shards(shards: Sequence[_ShardFolder]) -> None:
    """Raises InputError unless these are all shards of one dataset, each once."""
    first = shards[0]
    for other in shards[1:]:
        different = record_differences(_whole_record(other.record), _whole_record(first.record))
        if different:
            raise InputError(
                f"{other.folder} was made with other options than {first.folder} ({', '.join(different)}); "
                "give shards of one dataset."
            )
        if other.shard.parts != first.shard.parts or other.asked != first.asked:
            raise InputError(
                f"{other.folder} is shard {other.shard} of {other.asked} scenes, {first.folder} is shard "
                f"{first.shard} of {first.asked} scenes; give shards of one dataset."
            )
    for one, other in pairwise(sorted(shards, key=lambda shard: shard.shard.part)):
        if one.shard == other.shard:
            raise InputError(f"{one.folder} and {other.folder} are both shard {one.shard}; give each shard once.")
    count = first.shard.parts
    missing = sorted(set(range(1, count + 1)) - {shard.shard.part for shard in shards})
    if missing:
        names = _listed([f"{part}/{count}" for part in missing])
        raise InputError(f"Merging lacks shard {names}; generate it, or give its folder too.")


def _whole_record(record: dict[str, Any]) -> dict[str, Any]:
    """Format, seed and options that the record of the merged dataset has."""
    options = {name: value for name, value in record["options"].items() if name != "shard"}
    return {"format": record.get("format"), "seed": record.get("seed"), "options": options}


def _joined_versions(shards: Sequence[_ShardFolder]) -> dict[str, str]:
    """Library versions; several per library if the shards differ."""
    recorded = [shard.record.get("versions", {}) for shard in shards]
    names = dict.fromkeys(name for versions in recorded for name in versions)
    return {name: ", ".join(sorted({str(one[name]) for one in recorded if name in one})) for name in names}


def _link_or_copy(source: Path, target: Path) -> None:
    """Makes `target` a hard link to `source`, or a copy if links are not possible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.unlink(missing_ok=True)
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def _listed(items: Sequence[object]) -> str:
    """The first items, and the number of the others."""
    listed = ", ".join(str(item) for item in items[:MAX_LISTED])
    return listed + (f" and {len(items) - MAX_LISTED} more" if len(items) > MAX_LISTED else "")
