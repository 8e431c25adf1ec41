"""`rf view`: a page in the browser in which one walks through a scene."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from rfcli.cli.console import Console
from rfcli.cli.errors import in_options
from rfcli.cli.mechanism_options import AttentionName, MechanismOptions, with_mechanism_options
from rfcli.cli.options import (
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
from rfcli.cli.render import load_network
from rfcli.cli.startup import collect_rarely
from rfcli.errors import InputError

PAGE = "Page"  # panel of the help
MAX_RESOLUTION = 1024  # pixels
LOCAL = ("127.0.0.1", "localhost", "::1")


@with_mechanism_options
def view(
    scene: Annotated[
        str,
        typer.Argument(metavar="SCENE", help="A scene (.json, .h5) or a mesh (.obj, .ply, .glb, .stl, .off)."),
    ],
    mechanism_options: MechanismOptions,
    model: NetworkName = None,
    attention: AttentionName = None,
    resolution: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Longer side of the picture when the camera rests, a multiple of 8. "
            "(default: the training resolution, else 256)",
        ),
    ] = None,
    out: Out = Path(),
    device: Device = "auto",
    port: Annotated[
        int,
        typer.Option(
            min=1, max=65535, rich_help_panel=PAGE, help="Port of the page; the next free one if it is taken."
        ),
    ] = 8080,
    host: Annotated[
        str,
        typer.Option(
            rich_help_panel=PAGE,
            help="Address to listen on. Any other than 127.0.0.1 lets everybody who can reach this machine use the "
            "page, without a password.",
        ),
    ] = "127.0.0.1",
    no_open: Annotated[
        bool, typer.Option("--no-open", rich_help_panel=PAGE, help="Do not open the page in the browser.")
    ] = False,
    max_triangles: MaxTriangles = "4k",
    up: UpAxis = "auto",
    allow_outside: AllowOutside = False,
    exposure: Annotated[
        float, typer.Option(callback=finite, rich_help_panel=OUTPUT, help="Brightness of the picture in stops.")
    ] = 0.0,
    tone_mapping: Annotated[
        Literal["pbr-neutral", "none", "agx", "filmic", "aces"],
        typer.Option(rich_help_panel=OUTPUT, help="Tone mapping of the picture."),
    ] = "pbr-neutral",
    save_scene: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=OUTPUT,
            help="File of the page's button 'Save scene': .h5, or .json for a .json scene in the same folder.",
        ),
    ] = None,
    precision: Annotated[
        Literal["fp32", "bf16", "auto"],
        typer.Option(help="Precision of the view-independent stage; auto measures whether bf16 is faster."),
    ] = "fp32",
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Walk through a scene in the browser: change its light and materials, compare renderers.

    The page is on this machine only; Ctrl-C ends it. The first stage of the network runs once per scene, so that
    a moving camera costs a fraction of a second per picture.

    In the page: drag to orbit, right button to pan, wheel to zoom, W A S D to walk.
    The folders at the right have lights, materials, cameras, comparisons and files to save.

    Example: rf view examples/cornell-box.json

    Example: rf view bunny.obj --attention nearfar --resolution 384
    """
    collect_rarely()
    with Console("view", json=json, quiet=quiet, verbose=verbose) as console:
        from rfcli.pictures import DisplaySettings
        from rfcli.pictures.inputs import find_files, read_inputs
        from rfcli.scene import scene_warnings
        from rfcli.viewer import check_viser

        if resolution is not None and not (8 <= resolution <= MAX_RESOLUTION and resolution % 8 == 0):
            raise InputError(f"`resolution` {resolution} is not possible; give a multiple of 8 up to {MAX_RESOLUTION}.")
        display = DisplaySettings(exposure, tone_mapping)
        check_viser()
        _, limit = triangle_range("--max-triangles", max_triangles)
        inputs = read_inputs(find_files([scene]), None, up, limit, allow_outside)
        if len(inputs) != 1:
            raise InputError(f"`scene` {scene} stands for {len(inputs)} scenes; give one of them.")
        item = inputs[0]
        for note in item.placed.notes:
            console.print(in_options(note))
        for sentence in scene_warnings(item.scene, item.views):
            console.warn(f"{item.path}: {sentence}")
        network = load_network(console, model, attention, mechanism_options, resolution, precision, device, seed)

        from rfcli.viewer.drawing import Settings
        from rfcli.viewer.viewer import Viewer

        settings = Settings(resolution or network.default_resolution, display)
        with Viewer(
            item.scene, network, item.path, settings, out, save_scene, host=host, port=port, log=console.print
        ) as viewer:
            console.print(f"{item.path} is shown at {viewer.url}; Ctrl-C ends.")
            if host not in LOCAL:
                console.warn(f"--host {host}: everybody who can reach this machine can use the page.")
            if not no_open:
                import webbrowser

                webbrowser.open(viewer.url)
            try:
                viewer.wait()
            except KeyboardInterrupt:
                console.print("The viewer has ended.")
            saved, ended = list(viewer.saved), viewer.close()
        entry = model_entry(network.name, network.model)
        console.receipt(network.device, saved, model=entry, scene=item.path, triangles=len(item.scene))
    if not ended:  # end at once: a step that still runs may take seconds, and would abort the process at its end
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
