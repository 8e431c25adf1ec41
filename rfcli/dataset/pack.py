"""Packing of a dataset into a few TAR files, because file systems and object stores are slow with many small files."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from rfcli.dataset.files import read_bytes, write_error
from rfcli.dataset.manifest import Entry, read_manifest, write_manifest
from rfcli.dataset.record import read_record, write_record
from rfcli.errors import InputError
from rfcli.runtime.files import clear_unfinished, replacing

SCENES_PER_PACK = 1000  # a quarter of a gigabyte at the default resolution


def pack_dataset(
    folder: str | Path, out: str | Path, on_pack: Callable[[int], None] = lambda scenes: None
) -> list[Entry]:
    """Copies a dataset into TAR files `packs/NNNNNN.tar`, named after the number of their first scene.

    The TAR files follow the convention of WebDataset: scene 12 is the sample with key 000012 and the part h5, with
    unchanged bytes. The same dataset always gives the same bytes. All functions that read datasets read packed ones.
    The original stays unchanged. Interrupted packing can be started again.

    Args:
        folder: The dataset.
        out: Folder of the packed dataset; must not hold a dataset.
        on_pack: Called after each TAR file with its number of scenes.

    Returns:
        The scenes of the packed dataset.

    Raises:
        InputError: There is no dataset, a file is missing, or `out` holds a dataset or cannot be written.
    """
    folder, out = Path(folder), Path(out)
    record, entries = read_record(folder), read_manifest(folder)
    if record is None or not entries:
        raise InputError(f"{folder} holds no scenes to pack; give the folder of a generated dataset.")
    if read_record(out) is not None:
        raise InputError(f"{out} already holds a dataset; move it away to pack {folder} again.")
    packed: list[Entry] = []
    try:
        (out / "packs").mkdir(parents=True, exist_ok=True)
        clear_unfinished(out / "packs")  # left by a killed run
        for start in range(0, len(entries), SCENES_PER_PACK):
            group = entries[start : start + SCENES_PER_PACK]
            name = f"packs/{group[0].index:06d}.tar"
            write_tar(out / name, folder, group)
            packed += [entry._replace(file=f"{name}/{_member_name(entry)}") for entry in group]
            on_pack(len(group))
        write_manifest(out, packed)
        write_record(out, record)  # last: it makes the folder a dataset
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename} is missing; run the command that made {folder} again, then pack it."
        ) from error
    except OSError as error:
        raise write_error(out, error) from error
    return packed


def _member_name(entry: Entry) -> str:
    return f"{entry.index:06d}.h5"


def write_tar(path: Path, folder: Path, entries: list[Entry]) -> None:
    """Writes the scenes' files as one TAR, without times and owners."""
    with replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for entry in entries:
            content = read_bytes(folder / entry.file)
            header = tarfile.TarInfo(_member_name(entry))
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
