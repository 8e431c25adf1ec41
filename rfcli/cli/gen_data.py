"""`rf gen-data`: random scenes and their path-traced images."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rfcli.cli.console import Console
from rfcli.cli.inspect_data import check_data, show_statistics
from rfcli.cli.options import ConfigFile, Json, Quiet, Seed, Verbose, triangle_range

if TYPE_CHECKING:
    from rfcli.dataset.manifest import Entry

PREVIEW_EVERY = 32  # scenes between updates of preview.png
PREVIEW_SCENES = 48
PREVIEW_COLUMNS = 8


def gen_data(
    scenes: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Scenes in the dataset; more than are there extends it.")
    ] = 774,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write to: data, data-validation or data-test."),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"],
        typer.Option(help="Held-out splits share no scene and no shape with the others, whatever their seeds."),
    ] = "train",
    views: Annotated[int, typer.Option(min=1, max=1000, help="Cameras of a scene.")] = 4,
    resolution: Annotated[int, typer.Option(min=8, max=4096, help="Pixels along an image's side.")] = 128,
    spp: Annotated[int, typer.Option(min=1, max=1 << 16, help="Paths per pixel.")] = 32,
    denoise: Annotated[bool, typer.Option(help="Pass the images through Open Image Denoise.")] = True,
    light_layers: Annotated[
        bool,
        typer.Option("--light-layers", help="Store each light's own image too; takes as long as there are lights."),
    ] = False,
    triangles: Annotated[str, typer.Option(metavar="LOW-HIGH", help="Triangles of a scene.")] = "256-1536",
    meshes: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Meshes, in sub-folders too, of which half of the objects are made."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=1024, help="Processes; 0 for one a core. The data are the same for any number.")
    ] = 0,
    check: Annotated[
        bool,
        typer.Option("--check", help="Make nothing: verify hashes, ranges and numbers of the dataset that is there."),
    ] = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Make nothing: show how the dataset that is there is distributed.")
    ] = False,
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make random scenes and path-trace their images, for training.

    Stop it with Ctrl-C at any time: the same command goes on where it was, and a larger --scenes adds to what is there.

    Example: rf gen-data --scenes 64 --out small
    """
    with Console("gen-data", json=json, quiet=quiet, verbose=verbose) as console:
        low, high = triangle_range("--triangles", triangles)
        out = out or Path("data" if split == "train" else f"data-{split}")
        if check or stats:
            if check:
                check_data(console, out)
            if stats:
                show_statistics(console, out)
            return
        from rfcli.dataset.generate import generate, open_dataset
        from rfcli.dataset.manifest import read_manifest
        from rfcli.synth import RenderedScenes, SceneOptions, find_meshes
        from rfcli.truth import PathTracer

        look, final = PathTracer(8, denoise=False, threads=1), PathTracer(spp, denoise, threads=1)
        own = None
        if meshes is not None:
            own = find_meshes(meshes, split, console.detail)
            console.say(
                f"{len(own.names)} meshes in {meshes} for {split}; {own.others} more belong to other splits, "
                f"{len(own.broken)} are broken and left out."
            )
            for name, reason in own.broken.items():
                console.say(f"  {name}: {reason}")
        source = RenderedScenes(
            seed, SceneOptions((low, high), views, own, split), resolution, look, final, light_layers
        )
        options = {
            "views": views,
            "resolution": resolution,
            "triangles": [low, high],
            "spp": spp,
            "denoise": denoise,
            **({"light_layers": True} if light_layers else {}),
            **({"split": split} if split != "train" else {}),
            **({"meshes": str(own)} if own else {}),
        }
        console.claim(out)
        kept = open_dataset(out, options, seed)
        if kept:
            console.say(f"{out} holds {len(kept)} scenes; going on from there.")
        fresh: list[Entry] = []
        started = time.perf_counter()
        with console.progress("scenes", total=max(0, scenes - len(kept)), unit="scenes") as progress:
            for entry in generate(out, scenes, source, workers or cores()):
                fresh.append(entry)
                progress.advance(note=f"{skipped(fresh).total()} draws rejected")
                console.detail(f"{entry.file}: {entry.triangles} triangles, {entry.bytes / 1e6:.2f} MB")
                if len(fresh) % PREVIEW_EVERY == 0:
                    write_preview(out, [*kept, *fresh])
        seconds = time.perf_counter() - started
        entries = read_manifest(out)
        write_preview(out, entries)
        size = sum(entry.bytes for entry in entries)
        reasons = skipped(entries)
        console.say(
            f"{len(entries)} scenes of {views} views in {out} ({size / 1e6:.0f} MB), {len(fresh)} of them new; "
            f"draws rejected: {', '.join(f'{n} {reason}' for reason, n in reasons.most_common()) or 'none'}. "
            f"Look at {out / 'preview.png'}."
        )
        console.receipt(
            device="cpu",
            outputs=[out / "dataset.json", out / "manifest.jsonl", out / "scenes", out / "preview.png"],
            scenes=len(entries),
            new_scenes=len(fresh),
            views=sum(entry.views for entry in entries),
            bytes=size,
            skipped=reasons.total(),
            skipped_for=dict(reasons),
            broken_meshes=dict(own.broken) if own else {},
            scenes_per_second=len(fresh) / seconds,
            samples_per_second=len(fresh) * views * resolution**2 * spp / seconds,
        )


def skipped(entries: "Sequence[Entry]") -> Counter[str]:
    """Draws rejected before these scenes, by reason."""
    reasons: Counter[str] = Counter()
    for entry in entries:
        reasons.update(entry.rejected)
    return reasons


def write_preview(out: Path, entries: "Sequence[Entry]") -> None:
    """`preview.png`: the first views of scenes from all over the dataset."""
    from rfcli.dataset.preview import preview_images
    from rfcli.images import contact_sheet, to_display, write_png

    images = [to_display(image) for image in preview_images(out, entries, PREVIEW_SCENES)]
    write_png(out / "preview.png", contact_sheet(images, PREVIEW_COLUMNS))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
