"""`rf data check`, `stats`, `merge` and `pack` on small datasets."""

import json
import shutil
from pathlib import Path

import imageio.v3 as imageio
import pytest
from typer.testing import CliRunner

from rfcli.cli.app import app
from rfcli.dataset.manifest import read_manifest
from tests.cli.conftest import Rf

SMALL = ("--views", 2, "--resolution", 16, "--spp", 2, "--triangles", "128-256", "--workers", 1)


@pytest.fixture(scope="module")
def two_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two scenes."""
    folder = tmp_path_factory.mktemp("two-scenes") / "data"
    arguments = ["gen-data", "--scenes", 2, *SMALL, "--curriculum", "--out", folder]
    assert CliRunner().invoke(app, [str(argument) for argument in arguments]).exit_code == 0
    return folder


@pytest.fixture
def data(two_scenes: Path, tmp_path: Path) -> Path:
    """A copy of it, `data` in the current folder."""
    return Path(shutil.copytree(two_scenes, tmp_path / "data"))


def test_shards_are_merged_to_the_bytes_of_one_run(rf: Rf) -> None:
    for part in ("1/2", "2/2"):
        assert rf("gen-data", "--scenes", 3, *SMALL, "--shard", part).exit_code == 0
    assert [entry.index for entry in read_manifest("data-2-of-2")] == [1]
    merged = rf("data", "merge", "--out", "merged", "data-2-of-2", "data-1-of-2", "--json")
    assert merged.exit_code == 0, merged.output
    receipt = json.loads(merged.stdout)
    assert (receipt["command"], receipt["scenes"], receipt["shards"], receipt["views"]) == ("data merge", 3, 2, 6)
    assert rf("data", "merge").exit_code == 0  # the same folders, into data/
    assert rf("gen-data", "--scenes", 3, *SMALL, "--out", "whole").exit_code == 0
    files = [{p.relative_to(d): p.read_bytes() for p in d.rglob("*.*")} for d in map(Path, ("merged", "data", "whole"))]
    assert len(files[0]) == 3 + 3  # dataset.json, manifest.jsonl, preview.png
    assert files[0] == files[1] == files[2]
    incomplete = rf("data", "merge", "--out", "other", "data-2-of-2")
    assert incomplete.exit_code == 2
    assert "shard 1/2" in incomplete.stderr


def test_a_packed_dataset_is_a_dataset(rf: Rf, data: Path) -> None:
    packed = rf("data", "pack", "--json")
    assert packed.exit_code == 0, packed.output
    receipt = json.loads(packed.stdout)
    assert (receipt["command"], receipt["scenes"]) == ("data pack", 2)
    assert "data-packed/packs/000000.tar" in receipt["outputs"]
    assert all(Path(path).is_file() for path in receipt["outputs"])
    assert rf("data", "check", "data-packed").exit_code == 0
    for name in ("preview.png", "dataset.json"):
        assert (data / name).read_bytes() == Path("data-packed", name).read_bytes()
    assert rf("data", "pack", "data", "--out", "elsewhere/packed").exit_code == 0
    assert Path("elsewhere/packed/packs/000000.tar").read_bytes() == Path("data-packed/packs/000000.tar").read_bytes()
    other = rf("gen-data", "--scenes", 3, *SMALL, "--out", "data-packed")
    assert "curriculum is True there and None here" in other.stderr


def test_check_lists_faults_and_exits_2(rf: Rf, data: Path) -> None:
    sound = rf("data", "check", "--json")
    assert sound.exit_code == 0, sound.output
    receipt = json.loads(sound.stdout)
    assert (receipt["command"], receipt["scenes"], receipt["faults"]) == ("data check", 2, [])
    assert "all hashes and value ranges are correct" in sound.stderr
    (data / "scenes" / "000001.h5").write_bytes(b"torn")
    spoilt = rf("data", "check", data)
    assert spoilt.exit_code == 2
    assert "scenes/000001.h5: content does not match the hash" in spoilt.stdout
    assert spoilt.stderr.count("\n") == 1
    assert "faults in 1 of its files" in spoilt.stderr
    (data / "scenes" / "000001.h5").unlink()  # the remedy in the sentence
    assert rf("gen-data", "--scenes", 2, *SMALL, "--curriculum").exit_code == 0
    assert rf("data", "check").exit_code == 0


def test_stats_are_printed_and_plotted(rf: Rf, data: Path) -> None:
    result = rf("data", "stats", "data", "--json")
    assert result.exit_code == 0, result.output
    receipt = json.loads(result.stdout)
    assert (receipt["command"], receipt["scenes"], receipt["outputs"]) == ("data stats", 2, ["data/stats.png"])
    assert receipt["quantiles"]["field of view"][0] >= 30
    assert imageio.imread("data/stats.png").shape[2] in (3, 4)
    assert "log-uniform" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("check",), "data holds no dataset"),
        (("stats",), "data holds no scenes"),
        (("pack",), "data holds no scenes to pack"),
        (("pack", "gone"), "gone"),
        (("merge",), "shards"),
        (("merge", "gone"), "gone holds no dataset"),
        (("merge", "one", "--out", "picture.png"), "--out"),
        (("check", "one", "two"), "two"),
        (("repair",), "repair"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    rf: Rf, tmp_path: Path, arguments: tuple[str, ...], names: str
) -> None:
    result = rf("data", *arguments)
    assert result.exit_code == 2
    assert names in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_lists_the_subcommands_with_examples(rf: Rf) -> None:
    for result in (rf("data"), rf("data", "--help"), rf("data", "-h")):
        assert result.exit_code == 0
        assert all(name in result.stdout for name in ("check", "stats", "merge", "pack"))
    for name in ("check", "stats", "merge", "pack"):
        words = " ".join(rf("data", name, "--help").stdout.split())
        example = words.split("Example: rf ")[1].split(" ╭")[0].split()
        assert rf(*example, "--help").exit_code == 0
        assert rf(*example, "--no-such-option", "--help").exit_code == 2
