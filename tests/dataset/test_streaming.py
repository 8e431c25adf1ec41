"""Scenes read when they are used: from files, packs and URLs the same; what is broken is named."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pytest

from rfcli.dataset import pack as packing
from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.pack import pack_dataset
from rfcli.dataset.sample import read_sample
from rfcli.dataset.shards import Shard, merge_shards
from rfcli.dataset.storage import Storage
from rfcli.dataset.streaming import TAR_BLOCK, StreamedScenes, pack_offsets
from rfcli.errors import InputError
from tests.support.dataset_sources import make_dataset

SCENES = 7


def streamed(place: str | Path, resolution: int = 4) -> StreamedScenes:
    """All scenes of a dataset."""
    manifest = read_manifest(place)
    return StreamedScenes(Storage(place), manifest, pack_offsets(manifest), np.arange(len(manifest)), resolution)


def in_folder(folder: Path) -> Path:
    return make_dataset(folder / "data", SCENES)


def in_packs(folder: Path) -> Path:
    pack_dataset(in_folder(folder), folder / "packed")
    return folder / "packed"


def in_merged_packs(folder: Path) -> Path:
    """Packs of two shards, whose scenes alternate in the manifest."""
    for part in (1, 2):
        make_dataset(folder / f"{part}", SCENES, Shard(part, 2))
        pack_dataset(folder / f"{part}", folder / f"{part}-packed")
    merge_shards([folder / "1-packed", folder / "2-packed"], folder / "merged")
    return folder / "merged"


def at_file_url(folder: Path) -> str:
    return in_packs(folder).as_uri()


def in_memory(folder: Path) -> str:
    url = f"memory://{folder.name}"
    fsspec.filesystem("memory").put(f"{in_packs(folder)}/", f"{url}/", recursive=True)
    return url


@pytest.mark.parametrize("place", [in_folder, in_packs, in_merged_packs, at_file_url, in_memory])
def test_every_place_has_the_same_scenes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Callable[[Path], str | Path]
) -> None:
    monkeypatch.setattr(packing, "SCENES_PER_PACK", 3)
    scenes, files = streamed(place(tmp_path)), make_dataset(tmp_path / "expected", SCENES)
    assert len(scenes) == SCENES
    for index, entry in enumerate(read_manifest(files)):
        scene, expected = scenes[index], read_sample(files / entry.file)
        for name in ("triangles", "vn", "material", "c2w", "fov"):
            assert np.array_equal(getattr(scene, name), getattr(expected.scene, name))
        assert np.array_equal(scene.images, expected.images)
        assert (scenes.sizes[index], scenes.views[index]) == (len(expected.scene), 2)


def test_places_in_packs_are_those_of_the_tar_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SCENES_PER_PACK", 3)
    for folder in (in_packs(tmp_path / "a"), in_merged_packs(tmp_path / "b")):
        manifest = read_manifest(folder)
        offsets = pack_offsets(manifest)
        for place, entry in enumerate(manifest):
            tar, _, name = entry.file.rpartition("/")
            with tarfile.open(folder / tar) as file:
                assert offsets[place] == file.getmember(name).offset
    assert pack_offsets(read_manifest(in_folder(tmp_path / "c"))).tolist() == [0] * SCENES


def test_packs_of_other_tools_are_searched(tmp_path: Path) -> None:
    """Members in another order and with other headers between them."""
    packed = in_packs(tmp_path)
    (tar,) = (packed / "packs").glob("*.tar")
    with tarfile.open(tar) as file:
        members = [(member, file.extractfile(member).read()) for member in file]  # type: ignore[union-attr]
    expected = [streamed(packed)[place].images for place in range(SCENES)]
    for name, content in [(member.name, content) for member, content in members]:
        (tmp_path / name).write_bytes(content)
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as file:
        for member, _ in reversed(members):
            file.add(tmp_path / member.name, member.name)
    assert all(np.array_equal(streamed(packed)[place].images, expected[place]) for place in range(SCENES))


def test_images_are_averaged_down(tmp_path: Path) -> None:
    folder = in_folder(tmp_path)
    images = read_sample(folder / "scenes/000002.h5").images.astype(np.float64)
    expected = images.reshape(2, 2, 2, 2, 2, 3).mean((2, 4))
    assert np.allclose(streamed(folder, 2)[2].images, expected, rtol=1e-3)
    with pytest.raises(InputError, match=r"4 pixels; `resolution` 3 must divide"):
        streamed(folder, 3)[0]


def damage_file(folder: Path) -> None:
    path = folder / "scenes/000003.h5"
    path.write_bytes(path.read_bytes()[:-5] + b"12345")


def remove_file(folder: Path) -> None:
    (folder / "scenes/000003.h5").unlink()


def damage_pack(folder: Path) -> None:
    (tar,) = (folder / "packs").glob("*.tar")
    content = bytearray(tar.read_bytes())
    content[int(pack_offsets(read_manifest(folder))[3]) + TAR_BLOCK + 100] ^= 1
    tar.write_bytes(content)


def cut_pack(folder: Path) -> None:
    (tar,) = (folder / "packs").glob("*.tar")
    tar.write_bytes(tar.read_bytes()[: int(pack_offsets(read_manifest(folder))[3]) + 1000])


@pytest.mark.parametrize(
    ("make", "damage", "message", "broken"),
    [
        (in_folder, damage_file, "its content differs from the hash", 1),
        (in_folder, remove_file, "No such file or directory", 1),
        (in_packs, damage_pack, "its content differs from the hash", 1),
        (in_packs, cut_pack, "", SCENES - 3),
        (in_packs, lambda folder: shutil.rmtree(folder / "packs"), "No such file or directory", SCENES),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, make: Callable[[Path], Path], damage: Callable[[Path], None], message: str, broken: int
) -> None:
    folder = make(tmp_path)
    damage(folder)
    found = streamed(folder).read(range(SCENES))
    faults = [str(scene) for scene in found if isinstance(scene, InputError)]
    assert len(faults) == broken
    assert all(message in fault for fault in faults)
    assert str(found[3]).startswith(streamed(folder).path(3))
