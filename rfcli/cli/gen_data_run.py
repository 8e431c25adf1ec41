"""`rf gen-data` at work: scenes are made, counted and looked at while they come.

`preview.png` of a dataset: what it looks like at a glance.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfcli.cli.console import Console

if TYPE_CHECKING:
    from rfcli.dataset.manifest import Entry
    from rfcli.dataset.processes import Engine
    from rfcli.dataset.shard import Shard
    from rfcli.synth import OwnMeshes, RenderedScenes


def make_data(
    console: Console,
    out: Path,
    options: Mapping[str, Any],
    source: "RenderedScenes",
    scenes: int,
    shard: "Shard",
    workers: int,
    engine: "Engine",
) -> None:
    """Make what the dataset in `out` lacks of `scenes`, show how it goes, and hand over the receipt."""
    from rfcli.dataset.generate import generate, open_dataset
    from rfcli.dataset.manifest import read_manifest

    kept = open_dataset(out, options, source.seed)
    if kept:
        console.say(f"{out} holds {len(kept)} scenes; going on from there.")
    fresh, rejected, started = [], 0, time.perf_counter()
    with console.progress("scenes", total=max(0, len(shard.indices(scenes)) - len(kept)), unit="scenes") as progress:
        for entry in generate(out, scenes, source, workers, shard, engine):
            fresh.append(entry)
            rejected += sum(entry.rejected.values())
            progress.advance(note=f"{rejected} draws rejected")
            console.detail(f"{entry.file}: {entry.triangles} triangles, {entry.bytes / 1e6:.2f} MB")
            if preview_due(len(fresh)):
                write_preview(out, [*kept, *fresh])
    seconds = time.perf_counter() - started
    entries = read_manifest(out)
    preview = write_preview(out, entries)
    size = sum(entry.bytes for entry in entries)
    reasons = Counter[str]()
    for entry in entries:
        reasons.update(entry.rejected)
    console.say(
        f"{len(entries)} scenes of {options['views']} views in {out} ({size / 1e6:.0f} MB), {len(fresh)} of them new; "
        f"draws rejected: {', '.join(f'{n} {reason}' for reason, n in reasons.most_common()) or 'none'}. "
        f"Look at {preview}."
    )
    own = source.options.meshes
    console.receipt(
        device="cpu",
        outputs=[out / "dataset.json", out / "manifest.jsonl", out / "scenes", preview],
        scenes=len(entries),
        new_scenes=len(fresh),
        views=sum(entry.views for entry in entries),
        bytes=size,
        skipped=reasons.total(),
        skipped_for=dict(reasons),
        broken_meshes=dict(own.broken) if own else {},
        scenes_per_second=len(fresh) / seconds,
        samples_per_second=len(fresh) * options["views"] * options["resolution"] ** 2 * options["spp"] / seconds,
    )


def own_meshes(console: Console, folder: Path, split: Any) -> "OwnMeshes":
    """The user's meshes; says which are used and which are broken."""
    from rfcli.synth import find_meshes

    own = find_meshes(folder, split, console.detail)
    console.say(
        f"{len(own.names)} meshes in {folder} for {split}; {own.others} more belong to other splits, "
        f"{len(own.broken)} are broken and left out."
    )
    for name, reason in own.broken.items():
        console.say(f"  {name}: {reason}")
    return own


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


EVERY = 32  # scenes between updates
SCENES = 48
COLUMNS = 8


def preview_due(scenes: int) -> bool:
    """Whether the sheet is drawn anew after so many new scenes: it doubles at first, then grows evenly."""
    return scenes % EVERY == 0 or (scenes < EVERY and scenes.bit_count() == 1)


def write_preview(folder: Path, entries: "Sequence[Entry]") -> Path:
    """Draw the first views of scenes from all over the dataset; nothing where there are none."""
    from rfcli.dataset.preview import preview_images
    from rfcli.pictures.images import contact_sheet, to_display, write_png

    images = [to_display(image) for image in preview_images(folder, entries, SCENES)]
    if images:
        write_png(folder / "preview.png", contact_sheet(images, COLUMNS))
    return folder / "preview.png"
