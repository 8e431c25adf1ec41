"""Shards, joined, are the bytes of one run; what does not belong together is told apart."""

import json
import os
import shutil
from pathlib import Path

import pytest

from rfcli.dataset.generate import generate, open_dataset
from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.merge import merge
from rfcli.dataset.shard import WHOLE, Shard
from rfcli.errors import InputError
from tests.dataset.test_generate import contents
from tests.support.dataset_sources import Tiny, at_once

OPTIONS = {"views": 2, "triangles": [3, 6]}


def make(folder: Path, scenes: int, shard: Shard = WHOLE, **options: object) -> Path:
    named = {"shard": str(shard)} if shard != WHOLE else {}
    open_dataset(folder, {**OPTIONS, **options, **named}, 1)
    list(generate(folder, scenes, Tiny(), 1, shard, at_once))
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three shards of seven scenes."""
    root = tmp_path_factory.mktemp("shards")
    return [make(root / f"data-{part}-of-3", 7, Shard(part, 3)) for part in (1, 2, 3)]


def test_joined_shards_are_the_bytes_of_one_run(tmp_path: Path, shards: list[Path]) -> None:
    before = [contents(folder) for folder in shards]
    entries = merge([shards[2], shards[0], shards[1]], tmp_path / "merged")
    assert [entry.index for entry in entries] == list(range(7))
    assert contents(tmp_path / "merged") == contents(make(tmp_path / "whole", 7))
    assert [contents(folder) for folder in shards] == before
    make(tmp_path / "merged", 9)  # and it grows as that one does
    assert contents(tmp_path / "merged") == contents(make(tmp_path / "whole", 9))


def test_more_shards_than_scenes(tmp_path: Path) -> None:
    folders = [make(tmp_path / str(part), 2, Shard(part, 3)) for part in (1, 2, 3)]
    merge(folders, tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(make(tmp_path / "whole", 2))


def test_shards_of_a_dataset_that_grew(tmp_path: Path) -> None:
    for scenes in (3, 6, 4):  # fewer than before changes nothing
        folders = [make(tmp_path / str(part), scenes, Shard(part, 2)) for part in (1, 2)]
    merge(folders, tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(make(tmp_path / "whole", 6))


def test_files_are_copied_where_they_cannot_be_linked(
    tmp_path: Path, shards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    merge(shards, tmp_path / "linked")
    assert (tmp_path / "linked/scenes/000000.h5").samefile(shards[0] / "scenes/000000.h5")
    monkeypatch.setattr(os, "link", refuse)
    merge(shards, tmp_path / "copied")
    assert not (tmp_path / "copied/scenes/000000.h5").samefile(shards[0] / "scenes/000000.h5")
    assert contents(tmp_path / "copied") == contents(tmp_path / "linked")


def test_a_merge_that_was_stopped_is_begun_again(tmp_path: Path, shards: list[Path]) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(shards, tmp_path / "merged", stop)
    (tmp_path / "merged" / "scenes" / ".000004.77.h5").write_bytes(b"unfinished")  # as if killed
    merge(shards, tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(make(tmp_path / "whole", 7))
    with pytest.raises(InputError, match="merged holds a dataset already"):
        merge(shards, tmp_path / "merged")


def test_missing_and_doubled_shards_are_named(tmp_path: Path, shards: list[Path]) -> None:
    with pytest.raises(InputError, match=r"lacks shard 1/3, 3/3;"):
        merge([shards[1]], tmp_path / "merged")
    copy = shutil.copytree(shards[1], tmp_path / "copy")
    with pytest.raises(InputError, match=r"both shard 2/3; give each shard once"):
        merge([*shards, copy], tmp_path / "merged")
    with pytest.raises(InputError, match="--merge needs the folders of shards"):
        merge([], tmp_path / "merged")
    with pytest.raises(InputError, match="nowhere holds no dataset"):
        merge([*shards, tmp_path / "nowhere"], tmp_path / "merged")
    with pytest.raises(InputError, match="is a dataset of its own"):
        merge([*shards, make(tmp_path / "whole", 1)], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_contradictions_are_named(tmp_path: Path, shards: list[Path]) -> None:
    other = make(tmp_path / "other", 7, Shard(3, 3), views=4)
    with pytest.raises(InputError, match=r"other was made with other options than .*views is 4 there and 2 here"):
        merge([*shards[:2], other], tmp_path / "merged")
    more = make(tmp_path / "more", 8, Shard(3, 3))
    with pytest.raises(InputError, match=r"more is shard 3/3 of 8 scenes, .* 1/3 of 7"):
        merge([*shards[:2], more], tmp_path / "merged")
    quarter = make(tmp_path / "quarter", 7, Shard(3, 4))
    with pytest.raises(InputError, match=r"quarter is shard 3/4 of 7 scenes, .* 1/3 of 7"):
        merge([*shards[:2], quarter], tmp_path / "merged")


def test_unfinished_and_spoilt_shards_are_named(tmp_path: Path, shards: list[Path]) -> None:
    broken = shutil.copytree(shards[1], tmp_path / "broken")
    (broken / "scenes/000004.h5").unlink()
    with pytest.raises(InputError, match=r"broken lacks scenes 4; run the command that made it again"):
        merge([shards[0], broken, shards[2]], tmp_path / "merged")
    stopped = tmp_path / "stopped"  # killed before its last scene, which is the last of all
    open_dataset(stopped, {**OPTIONS, "shard": "1/3"}, 1)
    run = generate(stopped, 7, Tiny(), 1, Shard(1, 3), at_once)
    assert [next(run).index, next(run).index] == [0, 3]
    run.close()
    with pytest.raises(InputError, match=r"stopped lacks scenes 6;"):
        merge([stopped, *shards[1:]], tmp_path / "merged")
    foreign = shutil.copytree(shards[1], tmp_path / "foreign")
    record = json.loads((foreign / "dataset.json").read_text())
    (foreign / "dataset.json").write_text(json.dumps({**record, "asked": 4}))
    with pytest.raises(InputError, match=r"foreign holds scenes 4, which are not of shard 2/3"):
        merge([shards[0], foreign, shards[2]], tmp_path / "merged")


def test_versions_that_differ_are_all_recorded(tmp_path: Path, shards: list[Path]) -> None:
    other = shutil.copytree(shards[1], tmp_path / "other")
    record = json.loads((other / "dataset.json").read_text())
    numpy = record["versions"]["numpy"]
    (other / "dataset.json").write_text(json.dumps({**record, "versions": {**record["versions"], "numpy": "0.1"}}))
    merge([shards[0], other, shards[2]], tmp_path / "merged")
    assert json.loads((tmp_path / "merged/dataset.json").read_text())["versions"]["numpy"] == f"0.1, {numpy}"
    assert len(read_manifest(tmp_path / "merged")) == 7
