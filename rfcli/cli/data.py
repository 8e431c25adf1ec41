"""`rf gen-data --merge` and `--pack`: a dataset put together of shards, or into few large files.

`rf gen-data --check` and `--stats`: a dataset that is there, looked at.
"""

from collections.abc import Sequence
from pathlib import Path

from rfcli.cli.console import Console
from rfcli.cli.gen_data_run import write_preview
from rfcli.errors import InputError


def merge_data(console: Console, folders: Sequence[Path], out: Path) -> None:
    """Join the shards in `folders`, or, where none are named, those that --shard writes by default for `out`."""
    from rfcli.dataset.merge import merge

    folders = folders or sorted(out.parent.glob(f"{out.name}-[0-9]*-of-*[0-9]"))
    with console.progress("merge", total=None, unit="files") as progress:
        entries = merge(folders, out, progress.advance)
    preview = write_preview(out, entries)
    size = sum(entry.bytes for entry in entries)
    console.say(f"{len(entries)} scenes of {len(folders)} shards in {out} ({size / 1e6:.0f} MB). Look at {preview}.")
    console.receipt(
        device="cpu",
        outputs=[out / "dataset.json", out / "manifest.jsonl", preview],
        scenes=len(entries),
        shards=len(folders),
        views=sum(entry.views for entry in entries),
        bytes=size,
    )


def pack_data(console: Console, folder: Path) -> None:
    """Write the dataset in `folder` as TAR files into a folder beside it."""
    from rfcli.dataset.manifest import read_manifest
    from rfcli.dataset.pack import pack

    out = folder.with_name(f"{folder.name}-packed")
    with console.progress("pack", total=len(read_manifest(folder)), unit="scenes") as progress:
        entries = pack(folder, out, progress.advance)
    preview = write_preview(out, entries)
    packs = sorted((out / "packs").glob("*.tar"))
    size = sum(path.stat().st_size for path in packs)
    files = f"{len(packs)} TAR file{'s' * (len(packs) > 1)}"
    console.say(f"{len(entries)} scenes of {folder} in {files} in {out} ({size / 1e6:.0f} MB).")
    console.receipt(
        device="cpu",
        outputs=[out / "dataset.json", out / "manifest.jsonl", *packs, preview],
        scenes=len(entries),
        bytes=size,
    )


SHOWN = 20  # faults that are printed one by one


def check_data(console: Console, folder: Path) -> None:
    """Read every file of the dataset; say what is wrong.

    Raises InputError, with the way to mend it, where something is.
    """
    from rfcli.dataset.check import check, strays
    from rfcli.dataset.manifest import read_manifest

    entries = read_manifest(folder)
    faults = []
    with console.progress("check", total=len(entries), unit="scenes") as progress:
        for _, found in check(folder):
            faults += found
            progress.advance(note=f"{len(faults)} faults")
    faults += strays(folder)
    for fault in faults[:SHOWN]:
        console.say(f"{fault.file}: {fault.what}")
    if len(faults) > SHOWN:
        console.say(f"and {len(faults) - SHOWN} more")
    if faults:
        files = len({fault.file for fault in faults})
        raise InputError(
            f"{folder} has faults in {files} of its files, {faults[0].file} ({faults[0].what}) first; delete those "
            "files and run the command that made it again, without --check."
        )
    console.say(f"{len(entries)} scenes in {folder}: every hash, range and number is right, and none is there twice.")
    console.receipt(device="cpu", outputs=[], scenes=len(entries), faults=[])


def show_statistics(console: Console, folder: Path) -> None:
    """Print the dataset's distribution beside the published one and draw it into `stats.png`."""
    from rich.table import Table

    from rfcli.dataset.manifest import read_manifest
    from rfcli.dataset.statistics import QUANTITIES, measure
    from rfcli.dataset.statistics_figure import draw_statistics

    entries = read_manifest(folder)
    if not entries:
        raise InputError(f"{folder} holds no scenes; run `rf gen-data --out {folder}` first.")
    values = measure(folder, entries)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("", "low", "5 %", "median", "95 %", "high", "published"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    summary = {}
    for quantity in QUANTITIES:
        spread = quantiles(values[quantity.name])
        summary[quantity.name] = spread
        known = "" if quantity.published is None else "{:g} to {:g}, {}".format(*quantity.published)
        table.add_row(quantity.name, *(f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in spread), known)
    console.say(table)
    path = folder / "stats.png"
    draw_statistics(path, values, f"{len(entries)} scenes in {folder}")
    console.say(f"Histograms are in {path}.")
    console.receipt(device="cpu", outputs=[path], scenes=len(entries), quantiles=summary)


def quantiles(values: object) -> list[float]:
    """Lowest, 5 %, median, 95 %, highest."""
    import numpy as np

    return [float(value) for value in np.quantile(np.asarray(values), (0, 0.05, 0.5, 0.95, 1))]
