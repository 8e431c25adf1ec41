"""`rf`: the command line. Each command is in the module of its name, `rfcli/cli/gen_data.py` for `rf gen-data`.

How to add a command: write a function whose arguments are the options and whose docstring is the help text, then
register it at the end of this file. Inside, it makes one call into the library and prints the result:

    from rfcli.cli.console import Console
    from rfcli.cli.options import RUN, ConfigFile, Json, Out, Quiet, Seed, Verbose, triangle_range

    def gen_data(
        scenes: Annotated[int, typer.Option(min=1, help="Scenes in the dataset.")] = 774,
        triangles: Annotated[str, typer.Option(metavar="LOW-HIGH", help="Triangles per scene.")] = "256-1536",
        workers: Annotated[int, typer.Option(min=0, rich_help_panel=RUN, help="Processes.")] = 0,
        out: Out = Path("data"),
        seed: Seed = 0,
        config: ConfigFile = None,
        json: Json = False,
        quiet: Quiet = False,
        verbose: Verbose = False,
    ) -> None:
        '''Make random scenes and path-trace their images.

        Example: rf gen-data --scenes 64
        '''
        with Console("gen-data", json=json, quiet=quiet, verbose=verbose) as console:
            from rfcli.dataset import generate  # import torch, numpy and the like here: rf --help must stay fast

            low, high = triangle_range("--triangles", triangles)
            with console.progress("scenes", total=scenes, unit="scenes") as progress:
                for scene in generate(...):
                    progress.advance(note=f"{scene.skipped} skipped")
            console.print(f"{scenes} scenes in {out}/")  # to stdout, or to stderr with --json
            console.receipt(device="cpu", outputs=[out], scenes=scenes)  # printed with --json

Important options have no help panel and are shown first; the others are grouped by `rich_help_panel`. `config` needs
no code: `ConfigFile` sets the other options from the file.

The `with` block turns exceptions into one sentence on stderr. An InputError, an OSError that has a path, and running
out of memory exit with 2, Ctrl-C with 130, any other exception (a defect of rf) with 1; --verbose adds the traceback.
An InputError of the library names its argument in backticks, and the sentence has the option instead. With --json,
only the receipt is printed to stdout. Output of libraries and child processes is printed with --verbose only, to
stderr; what the user must know of it is an `rfcli.errors.InputWarning`, which the library that calls them raises.
"""

import sys
from typing import Annotated

import typer

import rfcli
from rfcli.cli.bench import bench
from rfcli.cli.data import data
from rfcli.cli.doctor import doctor
from rfcli.cli.errors import EXIT_DEFECT, EXIT_MISTAKE, CommandGroup, one_line
from rfcli.cli.finetune import finetune
from rfcli.cli.gen_data import gen_data
from rfcli.cli.render import render
from rfcli.cli.scene import scene
from rfcli.cli.startup import freeze_objects, keep_freed_memory
from rfcli.cli.streams import NAMES, discard_output, prepare_streams, unwritable
from rfcli.cli.train import train
from rfcli.cli.view import view

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(cls=CommandGroup, add_completion=False, pretty_exceptions_enable=False, context_settings=HELP_OPTIONS)


def _version(requested: bool) -> None:
    if requested:
        print(f"rf {rfcli.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def rf(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """RenderFormer from data to pictures: make scenes, train, linearise attention, render, measure its cost."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("gen-data")(gen_data)
app.command("train")(train)
app.command("finetune")(finetune)
app.command("render")(render)
app.command("bench")(bench)
app.command("view")(view)
app.add_typer(data, name="data", cls=CommandGroup, context_settings=HELP_OPTIONS)
app.add_typer(scene, name="scene", cls=CommandGroup, context_settings=HELP_OPTIONS)
app.command("doctor")(doctor)


def run(program: typer.Typer) -> None:
    """Run a program of commands to its end, which is an exit code."""
    prepare_streams()
    keep_freed_memory()
    try:
        try:
            program(prog_name="rf")
        finally:
            freeze_objects()
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has gone, as in `rf --help | head -1`
        discard_output()
        sys.exit(EXIT_DEFECT)
    except OSError as error:  # of help or version; a command's own errors are sentences by now
        discard_output()
        print(one_line(str(unwritable(NAMES[1], error))), file=sys.stderr)
        sys.exit(EXIT_MISTAKE)


def main() -> None:
    """The `rf` program."""
    run(app)
