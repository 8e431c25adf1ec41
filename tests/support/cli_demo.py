"""`rf demo`: a command that ends in a chosen way, for tests of output and exit codes."""

import atexit
import logging
import os
import signal
import subprocess
import time
import warnings
from pathlib import Path
from typing import Annotated

import typer

from rfcli.cli.app import run
from rfcli.cli.console import Console
from rfcli.cli.errors import CommandGroup
from rfcli.cli.options import ConfigFile, Device, Json, Quiet, Seed, Verbose
from rfcli.errors import InputError, InputWarning

app = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False)


@app.callback()
def demo_group() -> None:
    """Keeps `demo` a subcommand."""


def libraries() -> None:
    """Print in every way that libraries do: in Python, in C, in a child process, and when Python ends."""
    print("output of a library")
    logging.getLogger("library").warning("log of a library")
    warnings.warn("warning of a library", stacklevel=1)
    warnings.warn("overflow in a library", RuntimeWarning, stacklevel=1)
    os.write(1, b"output of C\n")
    os.write(2, b"error of C\n")
    subprocess.run(["echo", "output of a child"], check=True)
    subprocess.run("echo error of a child >&2", shell=True, check=True)
    atexit.register(os.write, 2, b"last words of a library\n")


def mistake() -> None:
    raise InputError("scene.json has no cameras;\nadd one")


def argument() -> None:
    raise InputError("`steps` and `names` of `other` do not fit")


def defect() -> None:
    raise ZeroDivisionError("half of nothing")


def unwritable() -> None:
    Path("/dev/null/x").write_text("")


def memory() -> None:
    raise MemoryError


def caution() -> None:
    for _ in range(2):
        warnings.warn("3 of 9 pixels are not finite.", InputWarning, stacklevel=1)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)


def leave() -> None:
    raise typer.Exit(5)


ENDINGS = {
    function.__name__: function
    for function in (mistake, argument, defect, unwritable, memory, caution, interrupt, leave)
}


@app.command()
def demo(
    steps: Annotated[int, typer.Option(min=1)] = 2,
    triangles: str = "1k",
    rate: float = 1.0,
    denoise: bool = True,
    names: Annotated[list[str] | None, typer.Option("--name")] = None,
    end: str = "",
    device: Device = "auto",
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print the options."""
    with Console("demo", json=json, quiet=quiet, verbose=verbose) as console:
        console.print("for people [bold]")
        console.detail("details")
        libraries()
        with console.progress("steps", total=steps, unit="steps") as progress:
            for step in range(steps):
                progress.advance(note=f"loss {step}")
        if end:
            ENDINGS[end]()
        given = {"steps": steps, "triangles": triangles, "rate": rate, "denoise": denoise, "names": names, "seed": seed}
        console.receipt(device, [], asked=given, nothing=float("nan"))


if __name__ == "__main__":
    run(app)
