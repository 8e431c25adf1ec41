"""A dataset in few large files: file systems and object stores are slow with millions of small ones."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from rfcli.dataset.generate import cannot_write
from rfcli.dataset.manifest import Entry, read_manifest, read_record, write_manifest, write_record
from rfcli.dataset.stored import bytes_of
from rfcli.errors import InputError
from rfcli.runtime.files import clear_unfinished, replacing

PACK = 1000  # scenes in a TAR: a quarter of a gigabyte at the default resolution


def pack(folder: str | Path, out: str | Path, packed: Callable[[int], None] = lambda scenes: None) -> list[Entry]:
    """Write the dataset in `folder` to `out` as `packs/NNNNNN.tar` of PACK scenes each; return its scenes.

    The TARs follow WebDataset's convention: scene 12 is the sample with key 000012 and the part h5, in the bytes that
    it had. They are named after their first scene and the same each time. Readers of datasets find the scenes in them
    by the manifest. The dataset in `folder` stays; one that was stopped is simply begun again.
    packed: told how many more scenes are done. Raises InputError where there is no dataset, a file of it is gone, or
    `out` holds a dataset already or cannot be written.
    """
    folder, out = Path(folder), Path(out)
    record, entries = read_record(folder), read_manifest(folder)
    if record is None or not entries:
        raise InputError(f"{folder} holds no scenes to pack; give --out FOLDER with a dataset of `rf gen-data`.")
    if read_record(out) is not None:
        raise InputError(f"{out} holds a dataset already; move it away to pack {folder} again.")
    moved: list[Entry] = []
    try:
        (out / "packs").mkdir(parents=True, exist_ok=True)
        clear_unfinished(out / "packs")  # what was killed under way
        for start in range(0, len(entries), PACK):
            group = entries[start : start + PACK]
            name = f"packs/{group[0].index:06d}.tar"
            write_tar(out / name, folder, group)
            moved += [entry._replace(file=f"{name}/{member(entry)}") for entry in group]
            packed(len(group))
        write_manifest(out, moved)
        write_record(out, record)  # last: now it is a dataset
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename} is gone; run the command that made {folder} again, then pack it."
        ) from error
    except OSError as error:
        raise cannot_write(out, error) from error
    return moved


def member(entry: Entry) -> str:
    """The scene's name in a TAR."""
    return f"{entry.index:06d}.h5"


def write_tar(path: Path, folder: Path, entries: list[Entry]) -> None:
    """The scenes' files as one TAR: whole or absent, without times and owners."""
    with replacing(path) as beside, tarfile.open(beside, "w", format=tarfile.USTAR_FORMAT) as tar:
        for entry in entries:
            content = bytes_of(folder / entry.file)
            header = tarfile.TarInfo(member(entry))
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
