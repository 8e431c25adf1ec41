"""Packed datasets: the same scenes for this package, and plain TAR files for other tools."""

import subprocess
import tarfile
from pathlib import Path

import pytest

from rfcli.dataset import pack as module
from rfcli.dataset.check import check_dataset, unlisted_files
from rfcli.dataset.files import sha256_of
from rfcli.dataset.generate import generate_scenes, open_dataset
from rfcli.dataset.manifest import read_manifest, write_manifest
from rfcli.dataset.pack import pack_dataset
from rfcli.dataset.record import write_record
from rfcli.dataset.sample import read_sample
from rfcli.dataset.shards import Shard, merge_shards
from rfcli.dataset.statistics import measure, preview_images
from rfcli.dataset.training_scene import at_resolution
from rfcli.errors import InputError
from tests.support.dataset_sources import (
    OPTIONS,
    NoiseSource,
    contents,
    make_dataset,
    sequential_engine,
    valid_sample,
    write_entry,
)


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five scenes, two per pack; the original dataset is in `data` next to it."""
    monkeypatch.setattr(module, "SCENES_PER_PACK", 2)
    make_dataset(tmp_path / "data", 5)
    packed: list[int] = []
    pack_dataset(tmp_path / "data", tmp_path / "packed", packed.append)
    assert packed == [2, 2, 1]
    return tmp_path / "packed"


def test_readers_find_the_same_scenes(packed: Path) -> None:
    data = packed.parent / "data"
    entries, before = read_manifest(packed), read_manifest(data)
    assert entries[3].file == "packs/000002.tar/000003.h5"
    assert [entry._replace(file="") for entry in entries] == [entry._replace(file="") for entry in before]
    for entry, old in zip(entries, before, strict=True):
        assert sha256_of(packed / entry.file) == sha256_of(data / old.file) == entry.sha256
        sample, expected = read_sample(packed / entry.file), read_sample(data / old.file)
        assert (sample.scene.triangles == expected.scene.triangles).all()
        assert (sample.images == expected.images).all()
        assert (at_resolution(sample, 4).images == expected.images).all()
    for one, other in zip(preview_images(packed, entries, 3), preview_images(data, before, 3), strict=True):
        assert (one == other).all()
    assert (packed / "dataset.json").read_bytes() == (data / "dataset.json").read_bytes()


def test_other_tools_read_the_packs(packed: Path) -> None:
    tar, scene = packed / "packs" / "000002.tar", packed.parent / "data" / "scenes" / "000003.h5"
    listed = subprocess.run(["tar", "-tf", tar], capture_output=True, text=True, check=True).stdout
    assert listed.split() == ["000002.h5", "000003.h5"]
    extracted = subprocess.run(["tar", "-xOf", tar, "000003.h5"], capture_output=True, check=True).stdout
    assert extracted == scene.read_bytes()
    with tarfile.open(tar) as file:
        assert {(member.mtime, member.uid, member.mode) for member in file} == {(0, 0, 0o644)}


def test_packing_again_or_packing_packs_gives_the_same_bytes(packed: Path, tmp_path: Path) -> None:
    pack_dataset(tmp_path / "data", tmp_path / "again")
    pack_dataset(packed, tmp_path / "twice")
    assert contents(tmp_path / "again") == contents(tmp_path / "twice") == contents(packed)


def test_a_packed_dataset_can_be_extended(packed: Path, tmp_path: Path) -> None:
    open_dataset(packed, OPTIONS, 1)
    added = generate_scenes(packed, 7, NoiseSource(), 1, engine=sequential_engine)
    assert [entry.index for entry in added] == [5, 6]
    make_dataset(tmp_path / "data", 7)
    pack_dataset(packed, tmp_path / "again")
    pack_dataset(tmp_path / "data", tmp_path / "whole")
    assert contents(tmp_path / "again") == contents(tmp_path / "whole")


def test_packed_shards_are_merged_without_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SCENES_PER_PACK", 2)
    for part in (1, 2):
        make_dataset(tmp_path / f"{part}", 7, Shard(part, 2))
        pack_dataset(tmp_path / f"{part}", tmp_path / f"{part}-packed")
    entries = merge_shards([tmp_path / "1-packed", tmp_path / "2-packed"], tmp_path / "merged")
    assert [entry.index for entry in entries] == list(range(7))
    assert {entry.file.rpartition("/")[0] for entry in entries} == {f"packs/00000{i}.tar" for i in (0, 1, 4, 5)}
    make_dataset(tmp_path / "whole", 7)
    hashes = [entry.sha256 for entry in read_manifest(tmp_path / "whole")]
    assert [sha256_of(tmp_path / "merged" / entry.file) for entry in entries] == hashes


def test_packs_are_verified(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "packed"
    (data / "scenes").mkdir(parents=True)
    write_record(data, {"format": 1, "seed": 0, "options": {}})
    write_manifest(data, [write_entry(data, index, valid_sample(index)) for index in range(3)])
    pack_dataset(data, out)
    assert [(entry.index, found) for entry, found in check_dataset(out)] == [(0, []), (1, []), (2, [])]
    assert unlisted_files(out) == []
    assert len(measure(out, read_manifest(out))["triangles"]) == 3
    tar = out / "packs" / "000000.tar"
    (out / "packs" / "000009.tar").write_bytes(tar.read_bytes())
    assert [fault.file for fault in unlisted_files(out)] == ["packs/000009.tar"]
    content = bytearray(tar.read_bytes())
    content[1500] ^= 1  # within scene 0
    tar.write_bytes(content)
    assert [entry.index for entry, found in check_dataset(out) if found] == [0]
    tar.write_bytes(tar.read_bytes()[:600])
    assert {fault.problem for _, found in check_dataset(out) for fault in found} >= {"missing"}


def test_unsuitable_folders_and_missing_files_are_named(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="packed already holds a dataset"):
        pack_dataset(tmp_path / "data", packed)
    with pytest.raises(InputError, match="nowhere holds no scenes to pack"):
        pack_dataset(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "data" / "scenes" / "000003.h5").unlink()
    with pytest.raises(InputError, match=r"000003\.h5 is missing"):
        pack_dataset(tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "out" / "dataset.json").exists()
