"""`rf data`: check and describe existing datasets, merge shards, pack scenes into TAR files."""

from pathlib import Path
from typing import Annotated

import typer

from rfcli.cli.console import Console
from rfcli.cli.gen_data import write_preview
from rfcli.cli.options import Json, Out, Quiet, Verbose, writable
from rfcli.errors import InputError

MAX_FAULTS = 20  # faults that are printed one by one

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Dataset made by rf gen-data.")]

data = typer.Typer(help="Check, describe, merge and pack datasets of rf gen-data.")


@data.callback(invoke_without_command=True)
def data_group(context: typer.Context) -> None:
    """Show the help of `rf data` where no subcommand is given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@data.command()
def check(folder: Folder = Path("data"), json: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Verify every file of a dataset: its hash and value ranges, and that no scene is a duplicate.

    Faults are listed, and the exit code is then 2.

    Example: rf data check data
    """
    with Console("data check", json=json, quiet=quiet, verbose=verbose) as console:
        from rfcli.dataset.check import check_dataset, unlisted_files
        from rfcli.dataset.manifest import read_manifest

        entries = read_manifest(folder)
        faults = []
        with console.progress("check", total=len(entries), unit="scenes") as progress:
            for _, found in check_dataset(folder):
                faults += found
                progress.advance(note=f"{len(faults)} faults")
        faults += unlisted_files(folder)
        for fault in faults[:MAX_FAULTS]:
            console.print(f"{fault.file}: {fault.problem}")
        if len(faults) > MAX_FAULTS:
            console.print(f"and {len(faults) - MAX_FAULTS} more")
        if faults:
            files = len({fault.file for fault in faults})
            raise InputError(
                f"{folder} has faults in {files} of its files, {faults[0].file} ({faults[0].problem}) first; delete "
                "those files and repeat the rf gen-data command that made them."
            )
        console.print(f"{len(entries)} scenes in {folder}: all hashes and value ranges are correct; no duplicates.")
        console.receipt(device="cpu", outputs=[], scenes=len(entries), faults=[])


@data.command()
def stats(folder: Folder = Path("data"), json: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Print how scenes, lights and cameras are distributed, next to the published ranges; plot it into stats.png.

    Example: rf data stats data
    """
    with Console("data stats", json=json, quiet=quiet, verbose=verbose) as console:
        from rich.table import Table

        from rfcli.dataset.manifest import read_manifest
        from rfcli.dataset.statistics import QUANTITIES, measure, plot_statistics

        entries = read_manifest(folder)
        if not entries:
            raise InputError(f"{folder} holds no scenes; run rf gen-data --out {folder} first.")
        values = measure(folder, entries)
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        for heading in ("", "low", "5 %", "median", "95 %", "high", "published"):
            table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
        summary = {}
        for quantity in QUANTITIES:
            spread = quantiles(values[quantity.name])
            summary[quantity.name] = spread
            published = "" if quantity.published is None else "{:g} to {:g}, {}".format(*quantity.published)
            cells = (f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in spread)
            table.add_row(quantity.name, *cells, published)
        console.print(table)
        path = folder / "stats.png"
        plot_statistics(path, values, f"{len(entries)} scenes in {folder}")
        console.print(f"Histograms are in {path}.")
        console.receipt(device="cpu", outputs=[path], scenes=len(entries), quantiles=summary)


def quantiles(values: object) -> list[float]:
    """Minimum, 5 %, median, 95 %, maximum."""
    import numpy as np

    return [float(value) for value in np.quantile(np.asarray(values), (0, 0.05, 0.5, 0.95, 1))]


@data.command()
def merge(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="All shards of one dataset. (default: OUT-*-of-*)"),
    ] = None,
    out: Out = Path("data"),
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Join the shards made by rf gen-data --shard into one dataset. Files are linked where possible, not copied.

    Example: rf data merge data-1-of-2 data-2-of-2 --out data
    """
    with Console("data merge", json=json, quiet=quiet, verbose=verbose) as console:
        from rfcli.dataset.shards import merge_shards

        folders = folders or sorted(out.parent.glob(f"{out.name}-[0-9]*-of-*[0-9]"))
        with console.progress("merge", total=None, unit="files") as progress:
            entries = merge_shards(folders, out, progress.advance)
        preview = write_preview(out, entries)
        size = sum(entry.bytes for entry in entries)
        console.print(
            f"{len(entries)} scenes of {len(folders)} shards in {out} ({size / 1e6:.0f} MB). Look at {preview}."
        )
        console.receipt(
            device="cpu",
            outputs=[out / "dataset.json", out / "manifest.jsonl", preview],
            scenes=len(entries),
            shards=len(folders),
            views=sum(entry.views for entry in entries),
            bytes=size,
        )


@data.command()
def pack(
    folder: Folder = Path("data"),
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            callback=lambda out: out and writable(out),
            help="Folder to write to. (default: FOLDER-packed)",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a dataset as TAR files of 1,000 scenes, for file systems that are slow with many small files.

    The result is a dataset like any other: rf train and rf data read it.

    Example: rf data pack data --out data-packed
    """
    with Console("data pack", json=json, quiet=quiet, verbose=verbose) as console:
        from rfcli.dataset.manifest import read_manifest
        from rfcli.dataset.pack import pack_dataset

        out = out or folder.with_name(f"{folder.name}-packed")
        with console.progress("pack", total=len(read_manifest(folder)), unit="scenes") as progress:
            entries = pack_dataset(folder, out, progress.advance)
        preview = write_preview(out, entries)
        packs = sorted((out / "packs").glob("*.tar"))
        size = sum(path.stat().st_size for path in packs)
        files = f"{len(packs)} TAR file{'s' * (len(packs) > 1)}"
        console.print(f"{len(entries)} scenes of {folder} in {files} in {out} ({size / 1e6:.0f} MB).")
        console.receipt(
            device="cpu",
            outputs=[out / "dataset.json", out / "manifest.jsonl", *packs, preview],
            scenes=len(entries),
            bytes=size,
        )
