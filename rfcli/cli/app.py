"""`rf`: the command line. Each subcommand lives in the module of its name.

A command is its options, one call into the library, and what it prints:

    from rfcli.cli.console import Console
    from rfcli.cli.options import ConfigFile, Device, Json, Out, Quiet, Seed, Verbose

    def gen_data(
        scenes: Annotated[int, typer.Option(min=1, help="Scenes to make.")] = 774,
        triangles: Annotated[str, typer.Option(metavar="LO-HI", help="Triangles of a scene.")] = "256-1536",
        seed: Seed = 0,
        config: ConfigFile = None,
        json: Json = False,
        quiet: Quiet = False,
        verbose: Verbose = False,
    ) -> None:
        '''Generate scenes and their path-traced images. (This docstring is the help text.)'''
        with Console("gen-data", json=json, quiet=quiet, verbose=verbose) as console:
            from rfcli.dataset import generate              # heavy imports: inside, never at the top

            smallest, largest = triangle_range("--triangles", triangles)
            with console.progress("scenes", total=scenes, unit="scenes") as progress:
                for scene in generate(...):
                    progress.advance(note=f"{scene.skipped} skipped")
            console.say(f"{scenes} scenes in {out}/")       # for people: stdout, or stderr with --json
            console.receipt(device="cpu", outputs=[...], scenes=scenes, ...)

The `with` block is where mistakes become sentences: an InputError, an OSError that names a path, or running out of
memory ends in one line on stderr and exit 2, Ctrl-C in one line and exit 130, a defect of ours in one line and exit 1;
with --verbose the traceback stands above the line. `config` needs no code in the command: `ConfigFile` fills in the
other options. With --json, stdout carries the receipt and nothing else, whatever libraries and workers print.
"""

import io
import sys
from typing import Annotated

import typer

import rfcli
from rfcli.cli.bench import bench
from rfcli.cli.doctor import doctor
from rfcli.cli.errors import CommandGroup
from rfcli.cli.finetune import finetune
from rfcli.cli.gen_data import gen_data
from rfcli.cli.render import render
from rfcli.cli.startup import collect_no_more, keep_freed_memory
from rfcli.cli.train import train

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"rf {rfcli.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def rf(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """The whole life of a RenderFormer: data, training, linear attention, pictures, and the study of its cost."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("gen-data")(gen_data)
app.command("train")(train)
app.command("finetune")(finetune)
app.command("render")(render)
app.command("bench")(bench)
app.command("doctor")(doctor)


def main() -> None:
    """The `rf` program."""
    for stream in (sys.stdout, sys.stderr):  # names of files need not be text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    keep_freed_memory()
    try:
        app(prog_name="rf")
    finally:
        collect_no_more()
