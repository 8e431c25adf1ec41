"""`rf bench`: the study of time and memory against triangle count."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfcli.cli.console import Console
from rfcli.cli.options import ConfigFile, Device, Json, Keys, Out, Quiet, Seed, Verbose, finite, triangle_counts

if TYPE_CHECKING:
    from rich.table import Table

    from rfcli.study import Row, Study


def bench(
    triangles: Annotated[str, typer.Option(metavar="COUNTS", help="Triangle counts: 1k-64k, 4096 or 1k,4k,20k.")] = (
        "1k-64k"
    ),
    attention: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Mechanisms, such as sdpa,performer. (default: all)")
    ] = None,
    keys: Keys = None,
    model: Annotated[
        str, typer.Option(metavar="SIZE", help="Architecture: tiny, base, large, a checkpoint folder or a HF id.")
    ] = "base",
    layers: Annotated[int, typer.Option(min=1, help="How many of the stage's layers, all alike, to run.")] = 1,
    budget: Annotated[
        float, typer.Option(min=0.5, max=100_000, callback=finite, help="Minutes within which the study ends.")
    ] = 10.0,
    out: Out = Path("bench"),
    device: Device = "auto",
    seed: Seed = 0,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure how the view-independent stage's time and memory grow with triangles, for each attention mechanism.

    Weights and triangles are random: cost depends on neither. Points that do not fit into the budget or into memory
    are extrapolated, drawn hollow and marked `measured: false`. A study that was stopped goes on from its last point.

    Example: rf bench --triangles 1k-64k --model base
    """
    with Console("bench", json=json, quiet=quiet, verbose=verbose) as console:
        counts = triangle_counts("--triangles", triangles)
        from rfcli.attention import names
        from rfcli.model import pick_device
        from rfcli.study import StudySettings, run_study

        chosen = names() if attention is None else tuple(name.strip() for name in attention.split(","))
        settings = StudySettings(model, chosen, counts, layers, pick_device(device).type, seed, keys)
        console.claim(out)
        with console.progress("bench", total=None, unit="") as progress:
            study = run_study(settings, 60 * budget - console.seconds(), out, progress.show)
        console.say(_table(study))
        for pair, count in study.crossings.items():
            if count is not None:
                first, second = pair.split("<")
                console.say(f"{first} is faster than {second} from {count:,} triangles")
        console.say(f"Figures and numbers are in {out}/")
        console.receipt(
            device=settings.device,
            outputs=list(study.outputs),
            model={"name": model, "attention": list(chosen), "parameters": settings.parameters()},
            layers=layers,
            rows=study.rows,
            fits=study.fits,
            crossings=study.crossings,
        )


def _table(study: "Study") -> "Table":
    """Seconds by triangle count and mechanism, with intervals; what was not measured in brackets."""
    from rich.table import Table

    attentions = list(dict.fromkeys(row.attention for row in study.rows))
    table = Table(title="seconds (95 % interval), [extrapolated]", title_justify="left", box=None)
    for heading in ("triangles", *attentions):
        table.add_column(heading, justify="right")
    for count in sorted({row.triangles for row in study.rows}):
        cells = [_cell(row) for row in study.rows if row.triangles == count]
        table.add_row(f"{count:,}", *cells)
    exponents = [study.fits.get(name) for name in attentions]
    table.add_row("grows as N^", *("" if fit is None else f"{fit['exponent']:.2f}" for fit in exponents))
    return table


def _cell(row: "Row") -> str:
    if row.seconds is None:
        return "too little time"
    if not row.measured:
        return f"[{row.seconds:.3g}]"
    return f"{row.seconds:.3g} ({row.seconds_low:.3g}-{row.seconds_high:.3g})"
