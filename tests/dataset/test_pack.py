"""Packed datasets: the same scenes for our readers, and plain TAR files for everybody else."""

import subprocess
import tarfile
from pathlib import Path

import pytest

from rfcli.dataset import pack as module
from rfcli.dataset.check import check, strays
from rfcli.dataset.generate import generate, open_dataset
from rfcli.dataset.manifest import read_manifest, sha256_of, write_manifest, write_record
from rfcli.dataset.merge import merge
from rfcli.dataset.pack import pack
from rfcli.dataset.preview import preview_images
from rfcli.dataset.sample import read_sample
from rfcli.dataset.shard import Shard
from rfcli.dataset.statistics import measure
from rfcli.dataset.training_scene import training_scene
from rfcli.errors import InputError
from tests.dataset.test_check import sound_sample, write
from tests.dataset.test_generate import contents
from tests.dataset.test_merge import OPTIONS, make
from tests.support.dataset_sources import Tiny, at_once


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five scenes, two to a pack; the dataset that they come from is beside it."""
    monkeypatch.setattr(module, "PACK", 2)
    make(tmp_path / "data", 5)
    done: list[int] = []
    pack(tmp_path / "data", tmp_path / "packed", done.append)
    assert done == [2, 2, 1]
    return tmp_path / "packed"


def test_our_readers_find_the_same_scenes(packed: Path) -> None:
    data = packed.parent / "data"
    entries, before = read_manifest(packed), read_manifest(data)
    assert entries[3].file == "packs/000002.tar/000003.h5"
    assert [entry._replace(file="") for entry in entries] == [entry._replace(file="") for entry in before]
    for entry, old in zip(entries, before, strict=True):
        assert sha256_of(packed / entry.file) == sha256_of(data / old.file) == entry.sha256
        sample, expected = read_sample(packed / entry.file), read_sample(data / old.file)
        assert (sample.scene.triangles == expected.scene.triangles).all()
        assert (sample.images == expected.images).all()
        assert (training_scene(sample, 4).images == expected.images).all()
    for one, other in zip(preview_images(packed, entries, 3), preview_images(data, before, 3), strict=True):
        assert (one == other).all()
    assert (packed / "dataset.json").read_bytes() == (data / "dataset.json").read_bytes()


def test_plain_tools_read_them(packed: Path) -> None:
    tar, scene = packed / "packs" / "000002.tar", packed.parent / "data" / "scenes" / "000003.h5"
    listed = subprocess.run(["tar", "-tf", tar], capture_output=True, text=True, check=True).stdout
    assert listed.split() == ["000002.h5", "000003.h5"]
    taken = subprocess.run(["tar", "-xOf", tar, "000003.h5"], capture_output=True, check=True).stdout
    assert taken == scene.read_bytes()
    with tarfile.open(tar) as file:
        assert {(member.mtime, member.uid, member.mode) for member in file} == {(0, 0, 0o644)}


def test_packing_again_gives_the_same_bytes_and_packs_of_packs_too(packed: Path, tmp_path: Path) -> None:
    pack(tmp_path / "data", tmp_path / "again")
    pack(packed, tmp_path / "twice")
    assert contents(tmp_path / "again") == contents(tmp_path / "twice") == contents(packed)


def test_a_packed_dataset_grows(packed: Path, tmp_path: Path) -> None:
    open_dataset(packed, OPTIONS, 1)
    assert [entry.index for entry in generate(packed, 7, Tiny(), 1, engine=at_once)] == [5, 6]
    make(tmp_path / "data", 7)
    pack(packed, tmp_path / "again")
    pack(tmp_path / "data", tmp_path / "whole")
    assert contents(tmp_path / "again") == contents(tmp_path / "whole")


def test_packed_shards_are_merged_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACK", 2)
    for part in (1, 2):
        make(tmp_path / f"{part}", 7, Shard(part, 2))
        pack(tmp_path / f"{part}", tmp_path / f"{part}-packed")
    entries = merge([tmp_path / "1-packed", tmp_path / "2-packed"], tmp_path / "merged")
    assert [entry.index for entry in entries] == list(range(7))
    assert {entry.file.rpartition("/")[0] for entry in entries} == {f"packs/00000{i}.tar" for i in (0, 1, 4, 5)}
    make(tmp_path / "whole", 7)
    hashes = [entry.sha256 for entry in read_manifest(tmp_path / "whole")]
    assert [sha256_of(tmp_path / "merged" / entry.file) for entry in entries] == hashes


def test_packs_are_checked(tmp_path: Path) -> None:
    data, out = tmp_path / "sound", tmp_path / "checked"
    (data / "scenes").mkdir(parents=True)
    write_record(data, {"format": 1, "seed": 0, "options": {}})
    write_manifest(data, [write(data, index, sound_sample(index)) for index in range(3)])
    pack(data, out)
    assert [(entry.index, found) for entry, found in check(out)] == [(0, []), (1, []), (2, [])]
    assert strays(out) == []
    assert len(measure(out, read_manifest(out))["triangles"]) == 3
    tar = out / "packs" / "000000.tar"
    (out / "packs" / "000009.tar").write_bytes(tar.read_bytes())
    assert [fault.file for fault in strays(out)] == ["packs/000009.tar"]
    content = bytearray(tar.read_bytes())
    content[1500] ^= 1  # within scene 0
    tar.write_bytes(content)
    assert [entry.index for entry, found in check(out) if found] == [0]
    tar.write_bytes(tar.read_bytes()[:600])
    assert {fault.what for _, found in check(out) for fault in found} >= {"missing"}


def test_mistakes_are_named(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="packed holds a dataset already"):
        pack(tmp_path / "data", packed)
    with pytest.raises(InputError, match="nowhere holds no scenes to pack"):
        pack(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "data" / "scenes" / "000003.h5").unlink()
    with pytest.raises(InputError, match=r"000003\.h5 is gone"):
        pack(tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "out" / "dataset.json").exists()
