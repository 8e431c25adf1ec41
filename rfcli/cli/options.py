"""Options with the same meaning in every command, panels of the help, and the notation of triangle counts.

The help of a command shows its most important options first: they have no panel and appear under "Options". All others
are in a panel, `typer.Option(rich_help_panel=RUN)`, and panels are shown in the order of their first option.
"""

import inspect
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rfcli.cli.config import apply_config
from rfcli.errors import InputError

INPUT = "Input"  # scenes, meshes, datasets
OUTPUT = "Output"  # files and how they look
ATTENTION = "Attention mechanism"
RUN = "Run"  # seed, config file, amount of output

MAX_SEED = 2**63 - 1  # of torch's generators
MAX_COUNT = 1 << 30  # triangles
PICTURE_SUFFIXES = (".png", ".exr", ".jpg", ".jpeg", ".gif", ".mp4")  # a folder with such a name is a mistake


def finite(value: float | None) -> float | None:
    """Parser callback for real numbers: rejects nan and inf, which `min` and `max` of an option let through."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number; give one such as 1 or 0.5.")
    return value


def writable(folder: Path) -> Path:
    """Parser callback for output folders: rejects those that cannot be made or written before any work starts."""
    if folder.suffix.lower() in PICTURE_SUFFIXES and not folder.exists():
        raise typer.BadParameter(f"{folder} would be a folder; give a name such as {folder.with_suffix('')}.")
    existing = next(path for path in (folder, *folder.parents) if path.exists() or path == path.parent)
    if not existing.is_dir():
        raise typer.BadParameter(f"{folder} cannot be made: {existing} is a file; give another folder.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{existing} cannot be written; give another folder.")
    return folder


Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where to compute.")]
Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED, rich_help_panel=RUN, help="Seed of all random numbers.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.yaml",
        is_eager=True,
        callback=apply_config,
        rich_help_panel=RUN,
        help="Read options from this file; the command line takes precedence.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", rich_help_panel=RUN, help="Print one JSON object, the receipt, to stdout; all else to stderr."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", rich_help_panel=RUN, help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", rich_help_panel=RUN, help="Print details and tracebacks.")]
NetworkName = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="A checkpoint folder, a Hugging Face id, or tiny. (default: the newest in runs/, else tiny)",
    ),
]
MaxTriangles = Annotated[
    str,
    typer.Option(
        metavar="COUNT", rich_help_panel=INPUT, help="Decimate meshes until the scene has at most this many triangles."
    ),
]
UpAxis = Annotated[
    Literal["auto", "y", "z"],
    typer.Option(
        rich_help_panel=INPUT,
        help="Vertical axis of meshes; auto: y for glTF and .obj, else z; where a mesh tells, as it stands.",
    ),
]
AllowOutside = Annotated[
    bool, typer.Option("--allow-outside", rich_help_panel=INPUT, help="Also read meshes outside the scene's folder.")
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", callback=writable, help="Folder to write to.")]


def triangle_counts(option: str, text: str) -> tuple[int, ...]:
    """Triangle counts, ascending and each once: `4096`, `1k,4k,20k`, `1k-64k` (1,024 doubled up to 65,536).

    k stands for 1,024. Raises InputError, which names `option`, for any other text.
    """
    counts: set[int] = set()
    for part in text.split(","):
        low, dash, high = part.partition("-")
        if not dash:
            counts.add(_count(option, part))
            continue
        first, last = _ascending(option, part, _count(option, low), _count(option, high))
        while first <= last:
            counts.add(first)
            first *= 2
    return tuple(sorted(counts))


def triangle_range(option: str, text: str) -> tuple[int, int]:
    """The ends, both included, of a range: `256-1536`, `1k-4k`, or `300`, which means 300-300.

    Raises InputError, which names `option`, for any other text.
    """
    low, dash, high = text.partition("-")
    return _ascending(option, text, _count(option, low), _count(option, high if dash else low))


def _count(option: str, text: str) -> int:
    match = re.fullmatch(r"\s*(\d+)(k?)\s*", text, re.IGNORECASE)
    count = int(match[1]) * (1024 if match[2] else 1) if match else 0
    if not 1 <= count <= MAX_COUNT:
        raise InputError(f"{option}: '{text.strip()}' is not a triangle count; write 4096, 4k, 1k,4k,20k or 1k-64k.")
    return count


def _ascending(option: str, text: str, low: int, high: int) -> tuple[int, int]:
    if low > high:
        turned = "-".join(reversed(text.strip().split("-")))
        raise InputError(f"{option}: '{text.strip()}' runs from high to low; write {turned}.")
    return low, high


def with_parameters(collected: str, parameters: Sequence[inspect.Parameter]) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that replaces one parameter of a command by several options.

    Args:
        collected: Name of the command's parameter that receives the options' values as a dict, name to value.
        parameters: The options, as keyword parameters annotated the way Typer reads them.

    Returns:
        The decorator. The decorated command has the options where `collected` stood.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = list(inspect.signature(command).parameters.values())
        place = next(index for index, parameter in enumerate(own) if parameter.name == collected)
        options = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
        plain = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        names = {parameter.name for parameter in options}

        def run(**values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            return command(**values, **{collected: given})

        shown = [*plain[:place], *options, *plain[place + 1 :]]
        run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        return run

    return decorate
