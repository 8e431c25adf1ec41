"""`rf render`: pictures of scenes, by a model or as a quick raster preview."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import rfcli
from rfcli.cli.console import Console
from rfcli.cli.mechanism_options import NONE_GIVEN, MechanismOptions, with_mechanism_options
from rfcli.cli.options import (
    ConfigFile,
    Device,
    Json,
    Out,
    Quiet,
    Seed,
    Verbose,
    finite,
    triangle_range,
)
from rfcli.cli.receipts import model_entry
from rfcli.cli.startup import collect_rarely
from rfcli.errors import InputError

if TYPE_CHECKING:
    from rfcli.pictures.jobs import Job
    from rfcli.pictures.renderers import NetworkRenderer

RUNS = (Path("runs/train"), Path("runs/finetune"))  # where training leaves models
BUNDLED = "tiny"
LARGEST = 1024  # pixels: side of the largest images


@with_mechanism_options
def render(
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE", help="Scenes (.json, .h5), meshes (.obj, .ply, .glb, .stl, .off), folders, globs."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A checkpoint folder, a Hugging Face id, or tiny. (default: the newest in runs/, else tiny)",
        ),
    ] = None,
    attention: Annotated[
        str | None, typer.Option(metavar="NAME", help="Run with another attention mechanism than the model's own.")
    ] = None,
    mechanism_options: MechanismOptions = NONE_GIVEN,
    view: Annotated[str | None, typer.Option(metavar="0,2", help="Render these cameras only. (default: all)")] = None,
    resolution: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Side of the image, a multiple of 8. (default: 256, or the model's own)"),
    ] = None,
    exposure: Annotated[float, typer.Option(help="Brightness of the PNG, in stops.")] = 0.0,
    tone_mapping: Annotated[
        Literal["pbr-neutral", "none", "agx", "filmic", "aces"],
        typer.Option(help="How the PNG shows what is brighter than white; the EXR stays linear."),
    ] = "pbr-neutral",
    compare: Annotated[
        str | None,
        typer.Option(metavar="truth|MODEL", help="Show it beside the path tracer's picture or another model's."),
    ] = None,
    camera_orbit: Annotated[
        int | None, typer.Option(metavar="FRAMES", help="Write a video in which the camera goes round the scene.")
    ] = None,
    arc: Annotated[
        float | None,
        typer.Option(
            callback=finite,
            metavar="DEGREES",
            help="Of the orbit; below 360 the camera swings there and back. (default: until a wall hides the scene)",
        ),
    ] = None,
    turntable_light: Annotated[
        bool, typer.Option("--turntable-light", help="Write a video in which the light goes round the scene.")
    ] = False,
    fps: Annotated[float, typer.Option(min=1, max=120, callback=finite, help="Frames of a video in a second.")] = 24.0,
    preview: Annotated[bool, typer.Option("--preview", help="Rasterise with OpenGL instead of a model.")] = False,
    max_triangles: Annotated[
        str, typer.Option(metavar="COUNT", help="Decimate a mesh until its scene has no more than these.")
    ] = "4k",
    up: Annotated[
        Literal["auto", "y", "z"], typer.Option(help="Vertical axis of a mesh; auto: y for .glb, else z.")
    ] = "auto",
    allow_outside: Annotated[
        bool, typer.Option("--allow-outside", help="Read meshes outside a scene's own folder, too.")
    ] = False,
    show_scene: Annotated[
        bool, typer.Option("--show-scene", help="List objects, lights, cameras and warnings instead of rendering.")
    ] = False,
    save_scene: Annotated[
        Path | None, typer.Option(metavar="FILE.h5", help="Also write the scene as the official code reads it.")
    ] = None,
    precision: Annotated[
        Literal["fp32", "bf16", "auto"],
        typer.Option(help="Of the view-independent stage; auto times both and takes bf16 where it is faster."),
    ] = "fp32",
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Compile the view stage first: half a minute, then views take half as long."),
    ] = False,
    out: Out = Path(),
    device: Device = "auto",
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Render scenes: a PNG to look at and an EXR (linear, HDR) to keep for each camera.

    Files are called like the scene, with -view0, -view1, ... for several cameras.
    Several pictures also go on a contact-sheet.png.
    A mesh is put on a lit stage: floor, wall, light and camera.

    --compare also writes NAME-compare.png: reference, picture and error, with
    PSNR, SSIM, HDR-FLIP, and LPIPS where torchvision's cache has its backbone.

    A video is NAME-orbit.mp4 and .gif, from the first camera or those of --view.
    Its frames stay in NAME-orbit-frames: the same command goes on from them.

    Example: rf render examples/cornell-box.json --resolution 128

    Example: rf render bunny.obj --max-triangles 2k --camera-orbit 96 --arc 60

    Example: rf render "scenes/*.json" more-scenes/ --view 0,2 --out pictures
    """
    collect_rarely()
    with Console("render", json=json, quiet=quiet, verbose=verbose) as console:
        from rfcli.cli.render_output import list_contents, make_pictures, make_videos
        from rfcli.pictures.inputs import find_inputs
        from rfcli.pictures.jobs import read_jobs, view_numbers
        from rfcli.pictures.look import Look, Studio
        from rfcli.pictures.motion import motion_of
        from rfcli.pictures.renderers import RasterRenderer, Renderer, TruthRenderer
        from rfcli.scene import scene_warnings

        _check_resolution(resolution)
        motion = motion_of(camera_orbit, turntable_light, arc)
        if compiled and preview:
            raise InputError("--compile makes a model's views faster, and --preview draws without one; leave one out.")
        if compare is not None and motion:
            raise InputError("--compare is for pictures; render the video without it.")
        views = view_numbers(view) if view is not None else (0,) if motion else None
        _, most = triangle_range("--max-triangles", max_triangles)
        jobs = read_jobs(find_inputs(scenes), views, up, most, allow_outside)
        for note in (note for job in jobs for note in job.notes):
            console.say(note)
        if save_scene and len(jobs) > 1:
            raise InputError(f"--save-scene {save_scene} takes one scene, not {len(jobs)}; render the others apart.")
        if show_scene:
            contents = list_contents(console, jobs)
            console.receipt("cpu", _save(jobs[0], save_scene), scenes=contents)
            return
        for job in jobs:
            for sentence in scene_warnings(job.whole, job.views):
                console.warn(f"{job.path}: {sentence}")
        look = Look(exposure, tone_mapping)
        network = (
            None
            if preview
            else _network(console, model, attention, mechanism_options, resolution, precision, device, seed)
        )
        if network and compiled:
            from rfcli.model.rendering import compile_views

            compile_views(network.model)
        renderer: Renderer = network or RasterRenderer()
        size = resolution or renderer.home
        reference: Renderer | None = None
        if compare == "truth":
            reference = TruthRenderer()
        elif compare is not None:
            reference = _network(console, compare, None, NONE_GIVEN, size, precision, device, seed)
        saved = _save(jobs[0], save_scene)
        out.mkdir(parents=True, exist_ok=True)
        studio = Studio(renderer, size, look, out)
        if motion:
            files, facts = make_videos(console, studio, jobs, motion, fps)
        else:
            files, facts = make_pictures(console, studio, jobs, reference)
        used: dict[str, Any] = {}
        if network:
            used = {
                "model": model_entry(network.name, network.model),
                "precision": network.precision,
                "compiled": compiled,
            }
        if reference:
            used["compared_with"] = reference.title
        console.receipt(renderer.device, [*saved, *files], **used, views=facts)


def _save(job: "Job", path: Path | None) -> list[Path]:
    """Write the scene as the official code reads it, where that is asked for."""
    if path is None:
        return []
    rfcli.save_scene(job.whole, path, official=True)
    return [path]


def _check_resolution(resolution: int | None) -> None:
    if resolution is not None and not (8 <= resolution <= LARGEST and resolution % 8 == 0):
        raise InputError(f"--resolution {resolution} is not possible; give a multiple of 8 up to {LARGEST}.")


def _network(
    console: Console,
    model: str | None,
    attention: str | None,
    mechanism_options: MechanismOptions,
    resolution: int | None,
    precision: str,
    device: str,
    seed: int,
) -> "NetworkRenderer":
    import torch

    from rfcli.model import convert, load
    from rfcli.model.conversion import swapped
    from rfcli.model.rendering import chosen_precision
    from rfcli.pictures.renderers import NetworkRenderer

    torch.manual_seed(seed)  # for what a mechanism draws when it takes the place of the model's own
    name = _newest_run() if model is None else model
    network, warning = swapped(load(name, device), attention)
    if options := mechanism_options.of([network.config.attention]):
        network = convert(network, network.config.attention, **options[network.config.attention])
    entry = model_entry(name, network)
    chosen = "" if model else " (the newest run)" if Path(name) in RUNS else " (bundled)"
    console.say(f"Model: {name}{chosen}, {entry['attention']} attention, {entry['parameters'] / 1e6:.1f} M parameters")
    if warning:
        console.warn(f"{warning}.")
    renderer = NetworkRenderer(name, network, chosen_precision(precision, next(network.parameters()).device))
    learned = renderer.bound_to
    if resolution and learned and not learned / 2 <= resolution <= 2 * learned:
        console.warn(f"this model learned at {learned} pixels, which is far from --resolution {resolution}.")
    return renderer


def _newest_run() -> str:
    """The run whose weights were written last, else the bundled model."""
    weights = [run / "model.safetensors" for run in RUNS]
    written = {path.stat().st_mtime: path for path in weights if path.is_file()}
    return str(written[max(written)].parent) if written else BUNDLED
