"""Training scenes that are read from their dataset when they are used, so that memory does not grow with their number.

A scene is one read of about a megabyte at a place known from the manifest, also within a TAR file. That is large enough
for disks and object stores to deliver scenes in any order at full speed, so the order of the scenes stays that of
`rfcli.dataset.batching`: random over the whole dataset, and known for every step without having read the ones before.
"""

import hashlib
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.dataset.manifest import Manifest
from rfcli.dataset.sample import Sample, parse_sample
from rfcli.dataset.storage import Section, Storage
from rfcli.dataset.training_scene import TrainingScene, at_resolution
from rfcli.errors import InputError

TAR_BLOCK = 512  # bytes; each member of a TAR has a header of one block, and its content fills whole blocks

Integers = npt.NDArray[np.int64]


class StreamedScenes(Sequence[TrainingScene]):
    """Some scenes of a dataset at one resolution.

    Args:
        storage: Where the dataset lies.
        manifest: All scenes of the dataset.
        offsets: Result of `pack_offsets` for the manifest.
        rows: [S] places in the manifest.
        resolution: Side that the images are averaged down to, in pixels.
    """

    def __init__(
        self, storage: Storage, manifest: Manifest, offsets: Integers, rows: Integers, resolution: int
    ) -> None:
        self.storage, self.manifest, self.rows, self.resolution = storage, manifest, rows, resolution
        self._offsets = offsets
        self.sizes = manifest.triangles[rows]
        self.views = manifest.views[rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> TrainingScene:  # type: ignore[override]  # no slices
        found = self.read([place])[0]
        if isinstance(found, Exception):
            raise found
        return found

    def path(self, place: int) -> str:
        """Path of the scene's file, for messages."""
        return f"{self.storage.place}/{self.manifest.file(int(self.rows[place]))}"

    def read(self, places: Sequence[int]) -> list[TrainingScene | InputError]:
        """Reads scenes.

        Args:
            places: Places of the scenes in this sequence.

        Returns:
            Each scene, or an InputError if its file is missing, broken, or differs from its hash in the manifest.
        """
        samples = zip(places, self._contents(places), strict=True)
        return [self._at_resolution(self._sample(place, content)) for place, content in samples]

    def sample(self, place: int) -> Sample | InputError:
        """A scene with its images as they are stored; as `read`."""
        return self._sample(place, self._contents([place])[0])

    def _contents(self, places: Sequence[int]) -> list[bytes | OSError]:
        return self.storage.read([self._section(place) for place in places])

    def _at_resolution(self, sample: Sample | InputError) -> TrainingScene | InputError:
        try:
            return sample if isinstance(sample, InputError) else at_resolution(sample, self.resolution)
        except InputError as error:
            return error

    def _section(self, place: int) -> Section:
        row = int(self.rows[place])
        folder = self.manifest.folders[self.manifest.folder[row]]
        if not folder.endswith(".tar"):
            return Section(self.manifest.file(row))
        start = int(self._offsets[row])
        return Section(folder, start, start + TAR_BLOCK + int(self.manifest.size[row]))

    def _sample(self, place: int, content: bytes | OSError) -> Sample | InputError:
        row, path = int(self.rows[place]), self.path(place)
        folder = self.manifest.folders[self.manifest.folder[row]]
        try:
            if isinstance(content, OSError):
                raise InputError(f"{path}: {content.strerror or content}")
            if folder.endswith(".tar"):
                name = f"{self.manifest.name[row].decode()}.h5"
                content = _member(content, name) or self._searched_member(folder, name)
            if hashlib.sha256(content).digest() != self.manifest.sha256[row].tobytes():
                raise InputError(f"{path}: its content differs from the hash in the manifest")
            return parse_sample(content, Path(path))
        except InputError as error:
            return error
        except (OSError, tarfile.TarError) as error:
            return InputError(f"{path}: {error}")

    def _searched_member(self, tar: str, name: str) -> bytes:
        """A member of a TAR that does not lie where `pack_offsets` expects it."""
        with self.storage.open(tar) as file, tarfile.open(fileobj=file, mode="r:") as members:
            for member in members:
                if member.name == name and member.isfile():
                    content = members.extractfile(member)
                    assert content is not None
                    return content.read()
        raise InputError(f"{self.storage.place}/{tar}/{name}: it is not in the TAR file")


def pack_offsets(manifest: Manifest) -> Integers:
    """[S] byte at which each scene's header begins in its TAR file; 0 for scenes outside of TAR files.

    Packs hold their scenes in the order of the manifest (`rfcli.dataset.pack`), so the sizes in it tell the places.
    """
    blocks = TAR_BLOCK * (1 + -(-manifest.size // TAR_BLOCK))
    order = np.argsort(manifest.folder, kind="stable")
    folder, ends = manifest.folder[order], np.cumsum(blocks[order])
    starts = ends - blocks[order]
    first = np.flatnonzero(np.diff(folder, prepend=-1))  # of each folder
    counts = np.diff(first, append=len(folder))
    offsets = np.empty(len(manifest), np.int64)
    offsets[order] = starts - np.repeat(starts[first], counts)
    packed = np.array([name.endswith(".tar") for name in manifest.folders], dtype=np.bool_)
    return np.where(packed[manifest.folder], offsets, 0)


def _member(section: bytes, name: str) -> bytes | None:
    """The content after the header of a TAR member; None if this is not the header of `name`."""
    try:
        header = tarfile.TarInfo.frombuf(section[:TAR_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None
    content = section[TAR_BLOCK:]
    return content if header.name == name and header.isfile() and header.size == len(content) else None
