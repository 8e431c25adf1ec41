"""The options of `rf train` and `rf finetune`, made from the fields of `TrainOptions`."""

import inspect
import re
from collections.abc import Collection
from dataclasses import Field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from rfcli.cli.options import OUTPUT, finite, triangle_range
from rfcli.errors import InputError
from rfcli.training.options import MAX_STEPS, SAVING, TrainOptions
from rfcli.training.phases import Phase

Options = TypeVar("Options", bound=TrainOptions)

MIN_RESOLUTION, MAX_RESOLUTION = 8, 4096
AS_TEXT = ("triangles", "phases", "workers")  # options with a notation of their own
PHASE_NOTATION = "RESOLUTION:STEPS or RESOLUTION:STEPS:LOW-HIGH, as in 64:4000:256-1k,128:2000"

# The options of both commands that are not part of `TrainOptions`.
TensorBoardFiles = Annotated[
    bool,
    typer.Option(
        "--tensorboard", rich_help_panel=SAVING, help="Write files for TensorBoard, too: tensorboard --logdir runs."
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        rich_help_panel=OUTPUT,
        help="Only print the number of parameters and the expected memory and hours, from a few steps.",
    ),
]


def training_parameters(kind: type[TrainOptions], without: Collection[str] = ()) -> list[inspect.Parameter]:
    """The options of a training command, for `with_parameters`.

    Args:
        kind: The fields of this class become options.
        without: Fields that are no options of this command.
    """
    types = get_type_hints(kind)
    specs = [spec for spec in fields(kind) if "help" in spec.metadata and spec.name not in without]
    return [_parameter(spec, types[spec.name]) for spec in specs]


def training_options(kind: type[Options], given: dict[str, Any], out: Path, seed: int) -> Options:
    """The options of a run.

    Args:
        kind: Class of the options.
        given: Values of the parameters made by `training_parameters`.
        out: Folder of the run.
        seed: Seed of all random numbers.

    Raises:
        InputError: Options contradict each other, or a text is not valid.
    """
    values = dict(given)
    if values["triangles"] is not None:
        values["triangles"] = triangle_range("--triangles", values["triangles"])
    if values["phases"] is not None:
        values["phases"] = parse_phases(values["phases"], values["triangles"])
    else:
        del values["phases"]
    values["workers"] = parse_workers(values["workers"])
    return kind(**values, out=out, seed=seed)


def parse_workers(text: str | None) -> int | None:
    """Number of worker processes from text; None for "auto" and for no text. Raises InputError for other text."""
    if text is None or text.strip() == "auto":
        return None
    if not re.fullmatch(r"\s*\d{1,4}\s*", text):
        raise InputError(f"--workers '{text}' is not a number of processes; give auto, 0, 1, 2, ....")
    return int(text)


def parse_phases(text: str, triangles: tuple[int, int] | None = None) -> tuple[Phase, ...]:
    """The phases of a text such as `64:4000:256-1k,128:2000`.

    Args:
        text: Resolution, steps and, if given, range of triangles of each phase.
        triangles: Range of the phases without one.

    Raises:
        InputError: The text is not valid.
    """
    return tuple(_parse_phase(part, triangles) for part in text.split(","))


def _parse_phase(text: str, triangles: tuple[int, int] | None) -> Phase:
    match = re.fullmatch(r"\s*(\d{1,10}):(\d{1,10})(?::([^:]+))?\s*", text)
    if match is None:
        raise InputError(f"--phases: '{text.strip()}' is not a phase; give {PHASE_NOTATION}.")
    resolution, steps = int(match[1]), int(match[2])
    if not (MIN_RESOLUTION <= resolution <= MAX_RESOLUTION and 1 <= steps <= MAX_STEPS):
        raise InputError(
            f"--phases: '{text.strip()}' must have {MIN_RESOLUTION} to {MAX_RESOLUTION} pixels and 1 to "
            f"{MAX_STEPS:,} steps."
        )
    return Phase(steps, resolution, triangle_range("--phases", match[3]) if match[3] else triangles)


def _parameter(spec: "Field[Any]", kind: Any) -> inspect.Parameter:
    """An option. Some are given as text; None = not given."""
    info = spec.metadata
    as_text = spec.name in AS_TEXT
    default = None if as_text else spec.default
    kind = str if as_text or spec.name == "data" else kind
    help_text = f"{info['help']} (default: {info['default_text']})" if info["default_text"] else info["help"]
    option = typer.Option(
        *(info["flags"] or (f"--{spec.name.replace('_', '-')}",)),
        help=help_text,
        metavar=info["metavar"],
        min=None if as_text else info["min"],
        max=None if as_text else info["max"],
        callback=finite if kind is float and info["max"] is not None else None,
        envvar=info["envvar"],
        rich_help_panel=info["panel"],
    )
    annotation = Annotated[kind | None if default is None else kind, option]  # type: ignore[valid-type]
    return inspect.Parameter(spec.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
