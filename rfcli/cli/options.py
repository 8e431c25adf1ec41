"""Options that mean the same in every command, and the notations of triangle counts."""

import math
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rfcli.cli.config import apply_config
from rfcli.errors import InputError

LARGEST_SEED = 2**63 - 1  # of torch's generators
PICTURES = (".png", ".exr", ".jpg", ".jpeg", ".gif", ".mp4")  # what people call pictures and videos, never folders


def finite(value: float | None) -> float | None:
    """The parser's callback for real numbers: nan and inf parse as such, and no range keeps nan out."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number; give one such as 1 or 0.5.")
    return value


def writable(folder: Path) -> Path:
    """The parser's callback for folders to write to: a mistake is told before the work, not after it."""
    if folder.suffix.lower() in PICTURES and not folder.exists():
        raise typer.BadParameter(f"{folder} would be a folder; give a name such as {folder.with_suffix('')}.")
    there = next(path for path in (folder, *folder.parents) if path.exists() or path == path.parent)
    if not there.is_dir():
        raise typer.BadParameter(f"{folder} cannot be made: {there} is a file; give another folder.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{there} cannot be written; give another folder.")
    return folder


Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where to compute.")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.yaml",
        is_eager=True,
        callback=apply_config,
        help="Take options from this file; the command line wins.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, the receipt; the rest goes to stderr.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print more, and tracebacks.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", callback=writable, help="Folder to write to.")]
Keys = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1 << 20,
        metavar="K",
        help="Keys that a triangle reads with nearfar attention: 512 draft, 2048 fine. (default: 1024)",
    ),
]

LARGEST_COUNT = 1 << 30


def attention_options(attention: str, keys: int | None) -> dict[str, Any]:
    """What `--keys` means to the mechanism called `attention`. Raises InputError where it means nothing."""
    if keys is None:
        return {}
    if attention != "nearfar":
        raise InputError(f"--keys {keys} is an option of nearfar, not of {attention}; add --attention nearfar.")
    return {"keys": keys}


def triangle_counts(option: str, text: str) -> tuple[int, ...]:
    """Triangle counts, ascending and each once: `4096`, `1k,4k,20k`, `1k-64k` (1,024 doubled up to 65,536).

    k stands for 1,024. Raises InputError, naming `option`, for anything else.
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
    """The ends, both included, of a plain range: `256-1536`, `1k-4k`; one number is a range of itself.

    Raises InputError, naming `option`, for anything else.
    """
    low, dash, high = text.partition("-")
    return _ascending(option, text, _count(option, low), _count(option, high if dash else low))


def _count(option: str, text: str) -> int:
    match = re.fullmatch(r"\s*(\d+)(k?)\s*", text, re.IGNORECASE)
    count = int(match[1]) * (1024 if match[2] else 1) if match else 0
    if not 1 <= count <= LARGEST_COUNT:
        raise InputError(f"{option}: '{text.strip()}' is not a triangle count; write 4096, 4k, 1k,4k,20k or 1k-64k.")
    return count


def _ascending(option: str, text: str, low: int, high: int) -> tuple[int, int]:
    if low > high:
        turned = "-".join(reversed(text.strip().split("-")))
        raise InputError(f"{option}: '{text.strip()}' runs from high to low; write {turned}.")
    return low, high
