"""`rf scene`: scenes of other programs converted to scene files."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rfcli.cli.console import Console
from rfcli.cli.errors import in_options
from rfcli.cli.options import Json, Quiet, Verbose, triangle_range

scene = typer.Typer(help="Convert scenes and meshes of other programs.")


@scene.callback(invoke_without_command=True)
def scene_group(context: typer.Context) -> None:
    """Show the help of `rf scene` where no subcommand is given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@scene.command()
def convert(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A scene or mesh: .glb, .gltf, .obj, .ply, .stl, .off, .json, .h5.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="SCENE", help="Scene to write, .json or .h5. (default: FILE.json)"),
    ] = None,
    max_triangles: Annotated[
        str, typer.Option(metavar="COUNT", help="Decimate meshes until the scene has at most this many triangles.")
    ] = "4k",
    detail: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT",
            help="Cut triangles where a texture or colour varies, up to this many. (default: each has its mean colour)",
        ),
    ] = None,
    backdrop: Annotated[
        bool, typer.Option("--backdrop", help="Place a file that has cameras or lights on the backdrop, without them.")
    ] = False,
    up: Annotated[
        Literal["auto", "y", "z"],
        typer.Option(
            help="Vertical axis of meshes; auto: y for glTF and .obj, else z; where a mesh tells, as it stands."
        ),
    ] = "auto",
    allow_outside: Annotated[
        bool, typer.Option("--allow-outside", help="Also read meshes outside the scene's folder.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a scene that the official code reads: JSON with OBJ parts, or HDF5.

    The JSON has one OBJ file for each material, in the folder NAME-meshes.

    Example: rf scene convert robot.glb --out robot.json
    """
    with Console("scene convert", json=json, quiet=quiet, verbose=verbose) as console:
        from rfcli.pictures.inputs import read_inputs
        from rfcli.scene import save

        target = file.with_suffix(".json") if out is None else out
        if out is None and file.suffix.lower() == ".json":
            target = file.with_suffix(".h5")
        _, limit = triangle_range("--max-triangles", max_triangles)
        cuts = triangle_range("--detail", detail)[1] if detail is not None else None
        (item,) = read_inputs([file], None, up, limit, allow_outside, cuts, backdrop)
        for note in item.placed.notes:
            console.print(in_options(note))
        for sentence in item.placed.mapping:
            console.detail(sentence)
        for sentence in save(item.scene, target, official=True):
            console.warn(sentence)
        console.print(f"{target}: {len(item.scene):,} triangles, {len(item.scene.c2w)} cameras.")
        console.receipt("cpu", [target], triangles=len(item.scene), notes=[*item.placed.notes, *item.placed.mapping])
