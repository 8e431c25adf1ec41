"""`rf render`: pictures and videos of scenes, by a model or as an OpenGL preview."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import rfcli
from rfcli.cli.console import Console
from rfcli.cli.errors import in_options
from rfcli.cli.mechanism_options import NONE_GIVEN, AttentionName, MechanismOptions, with_mechanism_options
from rfcli.cli.options import (
    INPUT,
    OUTPUT,
    AllowOutside,
    ConfigFile,
    Device,
    Json,
    MaxTriangles,
    NetworkName,
    Out,
    Quiet,
    Seed,
    UpAxis,
    Verbose,
    finite,
    triangle_range,
)
from rfcli.cli.receipts import model_entry
from rfcli.cli.startup import collect_rarely
from rfcli.errors import InputError

if TYPE_CHECKING:
    from rfcli.model import RenderFormer
    from rfcli.pictures.inputs import SceneInput
    from rfcli.pictures.renderers import NetworkRenderer, Renderer, RenderSettings

VIDEO, SPEED = "Video", "Speed"  # panels of the help
TRAINED_MODELS = (Path("runs/train"), Path("runs/finetune"))  # default outputs of rf train and rf finetune
BUNDLED_MODEL = "tiny"
MAX_RESOLUTION = 1024  # pixels


@with_mechanism_options
def render(
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE", help="Scenes (.json, .h5, .glb), meshes (.obj, .ply, .glb, .stl, .off), folders, globs."
        ),
    ],
    mechanism_options: MechanismOptions,
    model: NetworkName = None,
    attention: AttentionName = None,
    resolution: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", help="Side of the image, a multiple of 8. (default: the training resolution, else 256)"
        ),
    ] = None,
    view: Annotated[str | None, typer.Option(metavar="0,2", help="Render these cameras only. (default: all)")] = None,
    compare: Annotated[
        str | None,
        typer.Option(metavar="truth|MODEL", help="Compare with the path tracer or with another model."),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Rasterise with OpenGL, without a model.")] = False,
    out: Out = Path(),
    device: Device = "auto",
    max_triangles: MaxTriangles = "4k",
    detail: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT",
            rich_help_panel=INPUT,
            help="Cut triangles where a texture or colour varies, up to this many. (default: each has its mean colour)",
        ),
    ] = None,
    backdrop: Annotated[
        bool,
        typer.Option(
            "--backdrop",
            rich_help_panel=INPUT,
            help="Place a file that has cameras or lights on the backdrop, without them.",
        ),
    ] = False,
    up: UpAxis = "auto",
    allow_outside: AllowOutside = False,
    show_scene: Annotated[
        bool,
        typer.Option(
            "--show-scene",
            rich_help_panel=INPUT,
            help="List objects, lights, cameras and warnings; render nothing.",
        ),
    ] = False,
    exposure: Annotated[
        float, typer.Option(rich_help_panel=OUTPUT, help="Brightness of the PNG in stops; the EXR stays linear.")
    ] = 0.0,
    tone_mapping: Annotated[
        Literal["pbr-neutral", "none", "agx", "filmic", "aces"],
        typer.Option(rich_help_panel=OUTPUT, help="Tone mapping of the PNG; the EXR stays linear."),
    ] = "pbr-neutral",
    save_scene: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.h5", rich_help_panel=OUTPUT, help="Also write the scene in the official code's format."
        ),
    ] = None,
    camera_orbit: Annotated[
        int | None,
        typer.Option(
            metavar="FRAMES", rich_help_panel=VIDEO, help="Write a video in which the camera moves around the scene."
        ),
    ] = None,
    turntable_light: Annotated[
        bool,
        typer.Option(
            "--turntable-light",
            rich_help_panel=VIDEO,
            help="Write a video in which the light moves around the scene.",
        ),
    ] = False,
    arc: Annotated[
        float | None,
        typer.Option(
            callback=finite,
            metavar="DEGREES",
            rich_help_panel=VIDEO,
            help="Arc of the camera's orbit; below 360 it swings back and forth. Implies --camera-orbit 96. "
            "(default: until a wall hides the scene)",
        ),
    ] = None,
    fps: Annotated[
        float, typer.Option(min=1, max=120, callback=finite, rich_help_panel=VIDEO, help="Frames per second.")
    ] = 24.0,
    precision: Annotated[
        Literal["fp32", "bf16", "auto"],
        typer.Option(
            rich_help_panel=SPEED,
            help="Precision of the view-independent stage; auto measures whether bf16 is faster.",
        ),
    ] = "fp32",
    vae: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Autoencoder of RenderFormer-V2's textures: a folder, or Qwen/Qwen-Image to download it.",
        ),
    ] = None,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            rich_help_panel=SPEED,
            help="Compile the view-dependent stage: takes half a minute, then a view takes half the time.",
        ),
    ] = False,
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Render scenes: for each camera a PNG and an EXR (linear, HDR).

    Files have the name of the scene, with -view0, -view1, ... if it has several cameras.
    Several pictures are also shown together in contact-sheet.png.
    A mesh is placed on a backdrop: floor, wall, light and camera.
    A glTF file with cameras or lights is rendered with them, without backdrop.

    --compare also writes NAME-compare.png: reference, picture and error, with
    PSNR, SSIM, HDR-FLIP, and LPIPS if torchvision's cache has its backbone.

    A video is NAME-orbit.mp4 and .gif, of the first camera or those of --view.
    Its frames stay in NAME-orbit-frames, from which the same command resumes.

    Example: rf render examples/cornell-box.json --resolution 128

    Example: rf render bunny.obj --max-triangles 2k --camera-orbit 96 --arc 60

    Example: rf render "scenes/*.json" more-scenes/ --view 0,2 --out pictures
    """
    collect_rarely()
    named, refused = {Path(name) for name in scenes}, list[str]()
    with Console("render", json=json, quiet=quiet, verbose=verbose) as console:

        def leave_out(path: Path, error: InputError) -> None:
            """Leaves out one of several files in a folder or of a pattern; a file that was named ends the command."""
            if path in named or len(files_found) == 1:
                raise error
            refused.append(str(path))
            console.error(in_options(str(error)))

        from rfcli.cli.render_video import chosen_motion, make_videos
        from rfcli.cli.scene_tables import show_scenes
        from rfcli.pictures import DisplaySettings
        from rfcli.pictures.inputs import camera_numbers, find_files, read_inputs
        from rfcli.pictures.renderers import PathTracedRenderer, RasterRenderer, RenderSettings
        from rfcli.scene import scene_warnings

        if resolution is not None and not (8 <= resolution <= MAX_RESOLUTION and resolution % 8 == 0):
            raise InputError(f"`resolution` {resolution} is not possible; give a multiple of 8 up to {MAX_RESOLUTION}.")
        motion = chosen_motion(camera_orbit, turntable_light, arc)
        if compiled and preview:
            raise InputError("--compile is for models, and --preview uses none; leave one out.")
        if compare is not None and motion:
            raise InputError("--compare is for pictures; render the video without it.")
        views = camera_numbers(view) if view is not None else (0,) if motion else None
        _, limit = triangle_range("--max-triangles", max_triangles)
        cuts = triangle_range("--detail", detail)[1] if detail is not None else None
        files_found = find_files(scenes)
        inputs = read_inputs(files_found, views, up, limit, allow_outside, cuts, backdrop, leave_out)
        if not inputs:
            raise InputError(f"None of the {len(files_found)} files can be read; see above.")
        for note in (note for item in inputs for note in item.placed.notes):
            console.print(in_options(note))
        if save_scene and len(inputs) > 1:
            raise InputError(f"--save-scene {save_scene} takes one scene, not {len(inputs)}; render them one by one.")
        if show_scene:
            shown = show_scenes(console, inputs)
            console.receipt("cpu", save_official(inputs[0], save_scene), scenes=shown, refused=refused)
            return
        for item in inputs:
            for sentence in scene_warnings(item.scene, item.views):
                console.warn(f"{item.path}: {sentence}")
        display = DisplaySettings(exposure, tone_mapping)

        network: NetworkRenderer | None = None
        if not preview:
            network = load_network(
                console, model, attention, mechanism_options, resolution, precision, device, seed, vae
            )
            if compiled:
                from rfcli.model.rendering import compile_views

                compile_views(network.model)
        renderer: Renderer = network or RasterRenderer()
        pixels = resolution or renderer.default_resolution
        reference: Renderer | None = None
        if compare == "truth":
            reference = PathTracedRenderer()
        elif compare is not None:
            reference = load_network(console, compare, None, NONE_GIVEN, pixels, precision, device, seed)

        saved = save_official(inputs[0], save_scene)
        out.mkdir(parents=True, exist_ok=True)
        settings = RenderSettings(renderer, pixels, display, out)
        if motion:
            files, entries = make_videos(console, settings, inputs, motion, fps)
        else:
            files, entries = make_pictures(console, settings, inputs, reference)
        used: dict[str, Any] = {}
        if network:
            entry = model_entry(network.name, network.model)
            used = {"model": entry, "precision": network.precision, "compiled": compiled}
        if reference:
            used["compared_with"] = reference.title
        console.receipt(renderer.device, [*saved, *files], **used, views=entries, refused=refused)


def load_network(
    console: Console,
    model: str | None,
    attention: str | None,
    mechanism_options: MechanismOptions,
    resolution: int | None,
    precision: str,
    device: str,
    seed: int,
    vae: str | None = None,
) -> "NetworkRenderer":
    """Load a model (None: the newest run, else the bundled one) and print its name, attention and size."""
    import torch

    from rfcli.model import convert, load
    from rfcli.model.conversion import swapped
    from rfcli.model.rendering import chosen_precision
    from rfcli.pictures.renderers import NetworkRenderer

    torch.manual_seed(seed)  # for random features of a mechanism that replaces that of the model
    name = newest_model() if model is None else model
    loaded = load(name, device)
    if attention is None:
        attention = mechanism_options.implied(loaded.config.attention)
    network, warning = swapped(loaded, attention)
    if options := mechanism_options.of([network.config.attention]):
        network = convert(network, network.config.attention, **options[network.config.attention])
    entry = model_entry(name, network)
    origin = "" if model else " (the newest run)" if Path(name) in TRAINED_MODELS else " (bundled)"
    console.print(
        f"Model: {name}{origin}, {entry['attention']} attention, {entry['parameters'] / 1e6:.1f} M parameters"
    )
    if warning:
        console.warn(f"{warning}: rf finetune --attention {network.config.attention}.")
    add_scene_encoder(console, network, name, vae)
    renderer = NetworkRenderer(name, network, chosen_precision(precision, next(network.parameters()).device))
    trained = renderer.training_resolution
    if resolution and trained and not trained / 2 <= resolution <= 2 * trained:
        console.warn(f"this model was trained at {trained} pixels, which is far from --resolution {resolution}.")
    return renderer


def add_scene_encoder(console: Console, network: "RenderFormer", name: str, vae: str | None) -> None:
    """Give a RenderFormer-V2 that reads latents its autoencoder and mappers, and say which attention it uses."""
    from rfcli.model.hub import locate
    from rfcli.model.v2 import RenderFormerV2, read_scene_encoder

    if not isinstance(network, RenderFormerV2) or network.config.surface != "latents":
        if vae is not None:
            raise InputError(f"--vae is for models that read latents, and '{name}' does not; leave it out.")
        return
    console.print(
        "RenderFormer-V2: its published pipeline attends within a window and to sinks (--attention window, the default "
        "here), its published training code to all tokens (--attention sdpa)."
    )
    network.scene_encoder = read_scene_encoder(locate(name), vae, console.print)


def newest_model() -> str:
    """The run whose weights were written last, else the bundled model."""
    weights = [run / "model.safetensors" for run in TRAINED_MODELS]
    written = {path.stat().st_mtime: path for path in weights if path.is_file()}
    return str(written[max(written)].parent) if written else BUNDLED_MODEL


def save_official(item: "SceneInput", path: Path | None) -> list[Path]:
    """Write the scene in the official code's format if a path is given; returns the paths written."""
    if path is None:
        return []
    rfcli.save_scene(item.scene, path, official=True)
    return [path]


def make_pictures(
    console: Console, settings: "RenderSettings", inputs: "Sequence[SceneInput]", reference: "Renderer | None"
) -> tuple[list[Path], list[dict[str, Any]]]:
    """Write one picture per camera, each compared with the reference if there is one, and a contact sheet.

    Returns the paths written, and the entry of the receipt for each picture.
    """
    from rfcli.pictures.sheets import write_contact_sheet
    from rfcli.pictures.stills import render_pictures

    files: list[Path] = []
    pictures = []
    with console.progress("render", total=sum(len(item.views) for item in inputs), unit="pictures") as progress:
        for picture in render_pictures(settings, inputs, reference):
            pictures.append(picture)
            files += picture.files
            console.print(picture.line())
            progress.advance()
    if len(pictures) > 1:
        files.append(write_contact_sheet(settings.folder, [picture.thumbnail for picture in pictures]))
    return files, [picture.receipt() for picture in pictures]
