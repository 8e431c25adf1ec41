"""Shards: their scenes, and the merge into the bytes of a single run."""

import json
import os
import shutil
from pathlib import Path

import pytest

from rfcli.dataset.generate import generate_scenes, open_dataset
from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.shards import WHOLE, Shard, merge_shards, parse_shard
from rfcli.errors import InputError
from tests.support.dataset_sources import OPTIONS, NoiseSource, contents, make_dataset, sequential_engine


@pytest.mark.parametrize(("parts", "scenes"), [(1, 7), (3, 7), (16, 774), (5, 3)])
def test_shards_hold_every_scene_once_and_are_of_even_size(parts: int, scenes: int) -> None:
    shares = [Shard(part, parts).indices(scenes) for part in range(1, parts + 1)]
    assert sorted(index for share in shares for index in share) == list(range(scenes))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_larger_dataset_only_adds_scenes_to_a_shard() -> None:
    small, large = Shard(2, 3).indices(10), Shard(2, 3).indices(20)
    assert list(large[: len(small)]) == list(small)


def test_parse_shard() -> None:
    assert parse_shard("3/16") == parse_shard(" 3 / 16 ") == Shard(3, 16)
    assert str(Shard(3, 16)) == "3/16"
    assert parse_shard("1/1") == WHOLE


@pytest.mark.parametrize("text", ["", "3", "3/", "/16", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1.0/4"])
def test_other_notations_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="`shard`"):
        parse_shard(text)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three shards of seven scenes."""
    root = tmp_path_factory.mktemp("shards")
    return [make_dataset(root / f"data-{part}-of-3", 7, Shard(part, 3)) for part in (1, 2, 3)]


def test_merged_shards_are_the_bytes_of_a_single_run(tmp_path: Path, shards: list[Path]) -> None:
    before = [contents(folder) for folder in shards]
    entries = merge_shards([shards[2], shards[0], shards[1]], tmp_path / "merged")
    assert [entry.index for entry in entries] == list(range(7))
    assert contents(tmp_path / "merged") == contents(make_dataset(tmp_path / "whole", 7))
    assert [contents(folder) for folder in shards] == before
    make_dataset(tmp_path / "merged", 9)  # a merged dataset can be extended
    assert contents(tmp_path / "merged") == contents(make_dataset(tmp_path / "whole", 9))


def test_merge_of_more_shards_than_scenes(tmp_path: Path) -> None:
    folders = [make_dataset(tmp_path / str(part), 2, Shard(part, 3)) for part in (1, 2, 3)]
    merge_shards(folders, tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(make_dataset(tmp_path / "whole", 2))


def test_merge_of_extended_shards(tmp_path: Path) -> None:
    for scenes in (3, 6, 4):  # fewer than before changes nothing
        folders = [make_dataset(tmp_path / str(part), scenes, Shard(part, 2)) for part in (1, 2)]
    merge_shards(folders, tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(make_dataset(tmp_path / "whole", 6))


def test_files_are_copied_if_they_cannot_be_linked(
    tmp_path: Path, shards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    merge_shards(shards, tmp_path / "linked")
    assert (tmp_path / "linked/scenes/000000.h5").samefile(shards[0] / "scenes/000000.h5")
    monkeypatch.setattr(os, "link", refuse)
    merge_shards(shards, tmp_path / "copied")
    assert not (tmp_path / "copied/scenes/000000.h5").samefile(shards[0] / "scenes/000000.h5")
    assert contents(tmp_path / "copied") == contents(tmp_path / "linked")


def test_an_interrupted_merge_can_be_started_again(tmp_path: Path, shards: list[Path]) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge_shards(shards, tmp_path / "merged", stop)
    (tmp_path / "merged" / "scenes" / ".000004.77.h5").write_bytes(b"unfinished")  # as after SIGKILL
    merge_shards(shards, tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(make_dataset(tmp_path / "whole", 7))
    with pytest.raises(InputError, match="merged already holds a dataset"):
        merge_shards(shards, tmp_path / "merged")


def test_missing_and_duplicate_shards_are_named(tmp_path: Path, shards: list[Path]) -> None:
    with pytest.raises(InputError, match=r"lacks shard 1/3, 3/3;"):
        merge_shards([shards[1]], tmp_path / "merged")
    copy = shutil.copytree(shards[1], tmp_path / "copy")
    with pytest.raises(InputError, match=r"both shard 2/3; give each shard once"):
        merge_shards([*shards, copy], tmp_path / "merged")
    with pytest.raises(InputError, match="Merging needs the folders of all shards"):
        merge_shards([], tmp_path / "merged")
    with pytest.raises(InputError, match="nowhere holds no dataset"):
        merge_shards([*shards, tmp_path / "nowhere"], tmp_path / "merged")
    with pytest.raises(InputError, match="is a whole dataset"):
        merge_shards([*shards, make_dataset(tmp_path / "whole", 1)], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_shards_of_different_datasets_are_named(tmp_path: Path, shards: list[Path]) -> None:
    other = make_dataset(tmp_path / "other", 7, Shard(3, 3), views=4)
    with pytest.raises(InputError, match=r"other was made with other options than .*views is 4 there and 2 here"):
        merge_shards([*shards[:2], other], tmp_path / "merged")
    more = make_dataset(tmp_path / "more", 8, Shard(3, 3))
    with pytest.raises(InputError, match=r"more is shard 3/3 of 8 scenes, .* is shard 1/3 of 7"):
        merge_shards([*shards[:2], more], tmp_path / "merged")
    quarter = make_dataset(tmp_path / "quarter", 7, Shard(3, 4))
    with pytest.raises(InputError, match=r"quarter is shard 3/4 of 7 scenes, .* is shard 1/3 of 7"):
        merge_shards([*shards[:2], quarter], tmp_path / "merged")


def test_unfinished_and_inconsistent_shards_are_named(tmp_path: Path, shards: list[Path]) -> None:
    broken = shutil.copytree(shards[1], tmp_path / "broken")
    (broken / "scenes/000004.h5").unlink()
    with pytest.raises(InputError, match=r"broken lacks scenes 4; run the command that made it again"):
        merge_shards([shards[0], broken, shards[2]], tmp_path / "merged")
    stopped = tmp_path / "stopped"  # before its last scene, which is also the last of the dataset
    open_dataset(stopped, {**OPTIONS, "shard": "1/3"}, 1)
    run = generate_scenes(stopped, 7, NoiseSource(), 1, Shard(1, 3), sequential_engine)
    assert [next(run).index, next(run).index] == [0, 3]
    run.close()
    with pytest.raises(InputError, match=r"stopped lacks scenes 6;"):
        merge_shards([stopped, *shards[1:]], tmp_path / "merged")
    foreign = shutil.copytree(shards[1], tmp_path / "foreign")
    record = json.loads((foreign / "dataset.json").read_text())
    (foreign / "dataset.json").write_text(json.dumps({**record, "asked": 4}))
    with pytest.raises(InputError, match=r"foreign holds scenes 4, which do not belong to shard 2/3"):
        merge_shards([shards[0], foreign, shards[2]], tmp_path / "merged")


def test_different_library_versions_are_all_recorded(tmp_path: Path, shards: list[Path]) -> None:
    other = shutil.copytree(shards[1], tmp_path / "other")
    record = json.loads((other / "dataset.json").read_text())
    numpy = record["versions"]["numpy"]
    (other / "dataset.json").write_text(json.dumps({**record, "versions": {**record["versions"], "numpy": "0.1"}}))
    merge_shards([shards[0], other, shards[2]], tmp_path / "merged")
    assert json.loads((tmp_path / "merged/dataset.json").read_text())["versions"]["numpy"] == f"0.1, {numpy}"
    assert len(read_manifest(tmp_path / "merged")) == 7
