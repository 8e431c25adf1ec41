"""`rf gen-data --merge` and `--pack`: a dataset put together of shards, or into few large files."""

from collections.abc import Sequence
from pathlib import Path

from rfcli.cli.console import Console
from rfcli.cli.data_preview import write_preview


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
