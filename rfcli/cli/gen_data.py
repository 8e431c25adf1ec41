"""`rf gen-data`: random scenes and their path-traced images."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rfcli.cli.console import Console
from rfcli.cli.data import check_data, merge_data, pack_data, show_statistics
from rfcli.cli.gen_data_run import cores, make_data, own_meshes
from rfcli.cli.options import ConfigFile, Json, Quiet, Seed, Verbose, triangle_range
from rfcli.errors import InputError


def gen_data(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER]...", help="With --merge: the shards' folders. With --check, --stats, --pack: the dataset."
        ),
    ] = None,
    scenes: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Scenes in the dataset; more than are there extends it.")
    ] = 774,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Folder: data, data-validation, data-test, of a shard data-3-of-16."
        ),
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
    curriculum: Annotated[
        bool,
        typer.Option("--curriculum", help="Mix sizes for a curriculum: half as many scenes in each doubling."),
    ] = False,
    meshes: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Meshes, in sub-folders too, of which half of the objects are made."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=1024, help="Processes; 0 for one a core. The data are the same for any number.")
    ] = 0,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Who works: this machine, or the Ray cluster that is running.")
    ] = "local",
    shard: Annotated[
        str | None, typer.Option(metavar="3/16", help="Make only the third of 16 parts, each on another machine.")
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Make nothing: join the shards in FOLDERs (data-*-of-*), all of them there.")
    ] = False,
    pack: Annotated[
        bool,
        typer.Option("--pack", help="Make nothing: write the dataset that is there as TAR files, in FOLDER-packed."),
    ] = False,
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
        from rfcli.dataset.shard import WHOLE, read_shard

        low, high = triangle_range("--triangles", triangles)
        part = read_shard(shard) if shard is not None else WHOLE
        of = "" if part == WHOLE else f"-{part.part}-of-{part.parts}"
        if folders and not merge:
            out = _only_folder(folders, out, looking=pack or check or stats)
        out = out or Path(f"data{'' if split == 'train' else f'-{split}'}{of}")
        if merge and part != WHOLE:
            raise InputError(f"--shard {part} is made, --merge joins all that are made; give one of them.")
        if merge:
            merge_data(console, folders or [], out)
        if pack:
            pack_data(console, out)
        if check:
            check_data(console, out)
        if stats:
            show_statistics(console, out)
        if merge or pack or check or stats:
            return
        from rfcli.dataset import processes, ray_engine
        from rfcli.dataset.sample import check_size
        from rfcli.synth import RenderedScenes, SceneOptions
        from rfcli.synth.lights import MOST_LIGHTS
        from rfcli.truth import PathTracer

        check_size(views, resolution, MOST_LIGHTS if light_layers else 1)
        if engine == "ray":
            ray_engine.connected()  # a missing cluster is told before a folder is made
        own = own_meshes(console, meshes, split) if meshes is not None else None
        kind = SceneOptions((low, high), views, own, split, curriculum)
        look, final = PathTracer(8, denoise=False, threads=1), PathTracer(spp, denoise, threads=1)
        source = RenderedScenes(seed, kind, resolution, look, final, light_layers)
        options = {
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
        console.claim(out)
        if engine == "ray":
            make_data(console, out, options, source, scenes, part, workers, ray_engine.made_by_ray)
        else:
            make_data(console, out, options, source, scenes, part, workers or cores(), processes.made)


def _only_folder(folders: list[Path], out: Path | None, looking: bool) -> Path:
    """The dataset to look at, named without --out."""
    if not looking:
        raise InputError(f"{folders[0]} is an argument of --merge, --check, --stats or --pack; to write there: --out.")
    if len(folders) > 1 or out is not None:
        named = [*folders, *([out] if out is not None else [])]
        raise InputError(f"{named[0]} and {named[1]} are two datasets; --check, --stats and --pack take one.")
    return folders[0]
