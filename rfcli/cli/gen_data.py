"""`rf gen-data`: random scenes and their path-traced images."""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rfcli.cli.console import Console
from rfcli.cli.options import ConfigFile, Json, Quiet, Seed, Verbose, triangle_range

if TYPE_CHECKING:
    from rfcli.dataset.local_engine import Engine
    from rfcli.dataset.manifest import Entry
    from rfcli.dataset.shards import Shard
    from rfcli.synth import OwnMeshes, RenderedScenes

SCENES, IMAGES, PROCESSES = "Scenes", "Images", "Processes"  # panels of the help
PREVIEW_INTERVAL = 32  # new scenes between updates of preview.png
PREVIEW_SCENES, PREVIEW_COLUMNS = 48, 8


def gen_data(
    scenes: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Scenes in the dataset; a larger number extends it.")
    ] = 774,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder to write to. (default: data, data-validation, data-test; for a shard data-3-of-16)",
        ),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"],
        typer.Option(help="The splits share no scene and no shape, whatever their seeds."),
    ] = "train",
    triangles: Annotated[str, typer.Option(metavar="LOW-HIGH", help="Triangles per scene.")] = "256-1536",
    views: Annotated[int, typer.Option(min=1, max=1000, help="Cameras per scene.")] = 4,
    resolution: Annotated[int, typer.Option(min=8, max=4096, help="Side of the images in pixels.")] = 128,
    spp: Annotated[int, typer.Option(min=1, max=1 << 16, help="Paths per pixel.")] = 32,
    workers: Annotated[
        int, typer.Option(min=0, max=1024, help="Processes; 0: one per core. Any number gives the same data.")
    ] = 0,
    curriculum: Annotated[
        bool,
        typer.Option(
            "--curriculum",
            rich_help_panel=SCENES,
            help="Mix sizes for a curriculum: each doubling of triangles has half as many scenes.",
        ),
    ] = False,
    meshes: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            rich_help_panel=SCENES,
            help="Your meshes, also from subfolders; half of the objects are made from them.",
        ),
    ] = None,
    denoise: Annotated[bool, typer.Option(rich_help_panel=IMAGES, help="Denoise with Open Image Denoise.")] = True,
    light_layers: Annotated[
        bool,
        typer.Option(
            "--light-layers",
            rich_help_panel=IMAGES,
            help="Also store one image per light; the time is multiplied by the number of lights.",
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="3/16", rich_help_panel=PROCESSES, help="Make part 3 of 16 only; rf data merge joins the parts."
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(rich_help_panel=PROCESSES, help="Use this machine, or the running Ray cluster."),
    ] = "local",
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make random scenes and path-trace their images, for training.

    Ctrl-C stops it at any time. The same command then resumes, and a larger --scenes extends the dataset.

    rf data checks, describes, merges and packs existing datasets.

    Example: rf gen-data --scenes 64 --out small
    """
    with Console("gen-data", json=json, quiet=quiet, verbose=verbose) as console:
        from rfcli.dataset import local_engine, ray_engine
        from rfcli.dataset.sample import check_sample_size
        from rfcli.dataset.shards import WHOLE, parse_shard
        from rfcli.synth import RenderedScenes, SceneOptions
        from rfcli.synth.lights import MAX_LIGHTS
        from rfcli.truth import PathTracer

        low, high = triangle_range("--triangles", triangles)
        part = parse_shard(shard) if shard is not None else WHOLE
        if out is None:
            suffix = "" if part == WHOLE else f"-{part.part}-of-{part.parts}"
            out = Path(f"data{'' if split == 'train' else f'-{split}'}{suffix}")
        check_sample_size(views, resolution, MAX_LIGHTS if light_layers else 1)
        if engine == "ray":
            ray_engine.connected_ray()  # raises if there is no cluster, before a folder is made
        own = own_meshes(console, meshes, split) if meshes is not None else None
        scene_options = SceneOptions((low, high), views, own, split, curriculum)
        draft, final = PathTracer(8, denoise=False, threads=1), PathTracer(spp, denoise, threads=1)
        source = RenderedScenes(seed, scene_options, resolution, draft, final, light_layers)
        recorded = {
            "views": views,
            "resolution": resolution,
            "triangles": [low, high],
            "spp": spp,
            "denoise": denoise,
            **({"light_layers": True} if light_layers else {}),
            **({"curriculum": True} if curriculum else {}),
            **({"split": split} if split != "train" else {}),
            **({"meshes": str(own)} if own else {}),
            **({"shard": str(part)} if part != WHOLE else {}),
        }
        console.lock(out)
        generator = local_engine.generate_locally
        if engine == "ray":
            generator = ray_engine.generate_on_ray
        elif workers == 0:
            workers = cores()
        make_dataset(console, out, recorded, source, scenes, part, workers, generator)


def make_dataset(
    console: Console,
    out: Path,
    options: Mapping[str, Any],
    source: "RenderedScenes",
    scenes: int,
    shard: "Shard",
    workers: int,
    engine: "Engine",
) -> None:
    """Make the missing scenes of the dataset in `out`, show progress, and set the receipt."""
    from rfcli.dataset.generate import generate_scenes, open_dataset
    from rfcli.dataset.manifest import read_manifest

    finished = open_dataset(out, options, source.seed)
    if finished:
        console.print(f"{out} holds {len(finished)} scenes already; continuing from there.")
    new, rejected, started = [], 0, time.perf_counter()
    missing = max(0, len(shard.indices(scenes)) - len(finished))
    with console.progress("scenes", total=missing, unit="scenes") as progress:
        for entry in generate_scenes(out, scenes, source, workers, shard, engine):
            new.append(entry)
            rejected += sum(entry.rejected.values())
            progress.advance(note=f"{rejected} candidates rejected")
            console.detail(f"{entry.file}: {entry.triangles} triangles, {entry.bytes / 1e6:.2f} MB")
            if preview_due(len(new)):
                write_preview(out, [*finished, *new])
    seconds = time.perf_counter() - started
    entries = read_manifest(out)
    preview = write_preview(out, entries)
    size = sum(entry.bytes for entry in entries)
    reasons = Counter[str]()
    for entry in entries:
        reasons.update(entry.rejected)
    console.print(
        f"{len(entries)} scenes of {options['views']} views in {out} ({size / 1e6:.0f} MB), {len(new)} of them new; "
        f"rejected candidates: {', '.join(f'{n} {reason}' for reason, n in reasons.most_common()) or 'none'}. "
        f"Look at {preview}."
    )
    own = source.options.meshes
    console.receipt(
        device="cpu",
        outputs=[out / "dataset.json", out / "manifest.jsonl", out / "scenes", preview],
        scenes=len(entries),
        new_scenes=len(new),
        views=sum(entry.views for entry in entries),
        bytes=size,
        skipped=reasons.total(),
        skipped_for=dict(reasons),
        unusable_meshes=dict(own.unusable) if own else {},
        scenes_per_second=len(new) / seconds,
        samples_per_second=len(new) * options["views"] * options["resolution"] ** 2 * options["spp"] / seconds,
    )


def own_meshes(console: Console, folder: Path, split: Any) -> "OwnMeshes":
    """The user's meshes for this split; prints how many there are and which are not usable."""
    from rfcli.synth import find_meshes

    own = find_meshes(folder, split, console.detail)
    console.print(
        f"{len(own.names)} meshes in {folder} for {split}; {own.others} more belong to other splits, "
        f"{len(own.unusable)} cannot be used and are left out."
    )
    for name, reason in own.unusable.items():
        console.print(f"  {name}: {reason}")
    return own


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def preview_due(scenes: int) -> bool:
    """Whether preview.png is updated after this many new scenes: at 1, 2, 4, 8, 16, then every PREVIEW_INTERVAL."""
    return scenes % PREVIEW_INTERVAL == 0 or (scenes < PREVIEW_INTERVAL and scenes.bit_count() == 1)


def write_preview(folder: Path, entries: "Sequence[Entry]") -> Path:
    """Write preview.png, first views of scenes spread over the dataset; without scenes no file. Returns its path."""
    from rfcli.dataset.statistics import preview_images
    from rfcli.pictures import contact_sheet, to_display, write_png

    images = [to_display(image) for image in preview_images(folder, entries, PREVIEW_SCENES)]
    if images:
        write_png(folder / "preview.png", contact_sheet(images, PREVIEW_COLUMNS))
    return folder / "preview.png"
