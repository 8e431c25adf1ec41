"""`rf gen-data` as a person runs it: small, again, further, wrongly."""

import json
from pathlib import Path

import imageio.v3 as imageio
import pytest
import trimesh

from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.sample import read_sample
from tests.cli.conftest import Rf

SMALL = ("--views", 2, "--resolution", 16, "--spp", 2, "--triangles", "128-256", "--workers", 1)


def test_a_dataset_grows_where_it_was(rf: Rf, tmp_path: Path) -> None:
    first = rf("gen-data", "--scenes", 2, *SMALL, "--json")
    assert first.exit_code == 0, first.output
    receipt = json.loads(first.stdout)
    assert receipt["command"] == "gen-data"
    assert (receipt["scenes"], receipt["new_scenes"], receipt["views"]) == (2, 2, 4)
    assert receipt["samples_per_second"] > 0
    assert all(Path(path).exists() for path in receipt["outputs"])
    before = {path.name: path.read_bytes() for path in (tmp_path / "data" / "scenes").iterdir()}

    more = rf("gen-data", "--scenes", 3, *SMALL)
    assert more.exit_code == 0, more.output
    assert "3 scenes of 2 views in data" in more.stdout
    assert "1 of them new" in more.stdout
    assert [entry.index for entry in read_manifest("data")] == [0, 1, 2]
    assert all((tmp_path / "data" / "scenes" / name).read_bytes() == data for name, data in before.items())
    sample = read_sample("data/scenes/000002.h5")
    assert sample.images.shape == (2, 16, 16, 3)
    assert 128 <= len(sample.scene) <= 256
    sheet = imageio.imread("data/preview.png")
    assert sheet.shape == (16 + 4, 3 * (16 + 2) + 2, 3)
    assert sheet[2:-2, 2:18].std() > 5  # a picture, not a blank

    other = rf("gen-data", "--scenes", 3, *SMALL, "--spp", 4)
    assert other.exit_code == 2
    assert other.stderr.count("\n") == 1
    assert "spp is 2 there and 4 here" in other.stderr


def test_shards_join_to_the_bytes_of_one_run(rf: Rf, tmp_path: Path) -> None:
    for part in ("1/2", "2/2"):
        assert rf("gen-data", "--scenes", 3, *SMALL, "--shard", part).exit_code == 0
    assert [entry.index for entry in read_manifest("data-2-of-2")] == [1]
    merged = rf("gen-data", "--merge", "--out", "merged", "data-2-of-2", "data-1-of-2", "--json")
    assert merged.exit_code == 0, merged.output
    assert json.loads(merged.stdout)["scenes"] == 3
    assert rf("gen-data", "--merge").exit_code == 0  # the same folders, into data/
    assert rf("gen-data", "--scenes", 3, *SMALL, "--out", "whole").exit_code == 0
    files = [{p.relative_to(d): p.read_bytes() for p in d.rglob("*.*")} for d in map(Path, ("merged", "data", "whole"))]
    assert len(files[0]) == 3 + 3  # dataset.json, manifest.jsonl, preview.png
    assert files[0] == files[1] == files[2]
    lost = rf("gen-data", "--merge", "--out", "other", "data-2-of-2")
    assert lost.exit_code == 2
    assert "lacks shard 1/2" in lost.stderr


def test_a_dataset_is_packed_and_the_pack_is_a_dataset(rf: Rf, tmp_path: Path) -> None:
    assert rf("gen-data", "--scenes", 2, *SMALL, "--curriculum").exit_code == 0
    packed = rf("gen-data", "--pack", "--json")
    assert packed.exit_code == 0, packed.output
    assert (tmp_path / "data-packed" / "packs" / "000000.tar").is_file()
    assert str(Path("data-packed/packs/000000.tar")) in json.loads(packed.stdout)["outputs"]
    sound = rf("gen-data", "--check", "--out", "data-packed")
    assert sound.exit_code == 0, sound.output
    for name in ("preview.png", "dataset.json"):
        assert (tmp_path / "data" / name).read_bytes() == (tmp_path / "data-packed" / name).read_bytes()
    other = rf("gen-data", "--scenes", 3, *SMALL, "--out", "data-packed")
    assert "curriculum is True there and None here" in other.stderr


def write_box(path: Path, height: int) -> None:
    """In bytes that no library decides, since they decide to which split the file belongs."""
    box = trimesh.creation.box((2, 2, 2 * height))
    vertices = "".join("{:.0f} {:.0f} {:.0f}\n".format(*vertex) for vertex in box.vertices)
    faces = "".join("3 {} {} {}\n".format(*face) for face in box.faces)
    path.write_text(f"OFF\n8 12 0\n{vertices}{faces}", newline="\n")


def test_meshes_of_ones_own_are_used_counted_and_compared(rf: Rf, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "deep"
    folder.mkdir(parents=True)
    write_box(folder / "cube.off", 1)
    write_box(folder / "box.off", 2)
    (folder / "torn.ply").write_bytes(b"ply")
    large = ("--views", 1, "--resolution", 16, "--spp", 1, "--triangles", "500-700", "--scenes", 3)
    run = rf("gen-data", *large, "--meshes", "mine", "--workers", 1, "--json")
    assert run.exit_code == 0, run.output
    assert set(json.loads(run.stdout)["broken_meshes"]) == {"deep/torn.ply"}
    assert "2 meshes in mine for train; 0 more belong to other splits, 1 are broken" in run.stderr
    assert "deep/torn.ply: " in run.stderr
    assert json.loads(Path("data/dataset.json").read_text())["options"]["meshes"].startswith("2 meshes")
    assert rf("gen-data", *large, "--meshes", "mine", "--workers", 2, "--out", "again").exit_code == 0
    for entry, other in zip(read_manifest("data"), read_manifest("again"), strict=True):
        assert entry.sha256 == other.sha256
    write_box(folder / "box.off", 3)
    changed = rf("gen-data", *large, "--meshes", "mine")
    assert changed.exit_code == 2
    assert "meshes is 2 meshes with hash" in changed.stderr
    assert rf("gen-data", *large).exit_code == 2


@pytest.mark.parametrize(("split", "folder"), [("validation", "data-validation"), ("test", "data-test")])
def test_a_held_out_split_has_a_folder_and_scenes_of_its_own(rf: Rf, split: str, folder: str) -> None:
    for chosen in ("train", split):
        assert rf("gen-data", "--scenes", 1, *SMALL, "--split", chosen).exit_code == 0
    entry, other = (read_manifest(name)[0] for name in ("data", folder))
    assert entry.sha256 != other.sha256
    mixed = rf("gen-data", "--scenes", 2, *SMALL, "--split", split, "--out", "data")
    assert mixed.exit_code == 2
    assert f"split is None there and {split} here" in mixed.stderr


def test_light_layers_are_stored_and_checked(rf: Rf) -> None:
    assert rf("gen-data", "--scenes", 1, *SMALL, "--light-layers").exit_code == 0
    sample = read_sample("data/scenes/000000.h5")
    assert sample.layers is not None
    assert sample.layers.sum(axis=0, dtype=float) == pytest.approx(sample.images.astype(float), rel=2e-3, abs=1e-6)
    assert rf("gen-data", "--check").exit_code == 0
    other = rf("gen-data", "--scenes", 1, *SMALL)
    assert "light_layers is True there and None here" in other.stderr


def test_a_dataset_is_checked_and_shown(rf: Rf, tmp_path: Path) -> None:
    assert rf("gen-data", "--scenes", 2, *SMALL).exit_code == 0
    sound = rf("gen-data", "--check", "--stats", "data", "--json")
    assert sound.exit_code == 0, sound.output
    receipt = json.loads(sound.stdout)
    assert receipt["scenes"] == 2
    assert receipt["quantiles"]["field of view"][0] >= 30
    assert imageio.imread("data/stats.png").shape[2] in (3, 4)
    assert "every hash, range and number is right" in sound.stderr
    assert "log-uniform" in sound.stderr
    (tmp_path / "data" / "scenes" / "000001.h5").write_bytes(b"torn")
    spoilt = rf("gen-data", "--check")
    assert spoilt.exit_code == 2
    assert "scenes/000001.h5: other bytes" in spoilt.stdout
    assert spoilt.stderr.count("\n") == 1
    assert "faults in 1 of its files" in spoilt.stderr
    (tmp_path / "data" / "scenes" / "000001.h5").unlink()  # as the sentence says
    assert rf("gen-data", "--scenes", 2, *SMALL).exit_code == 0
    assert rf("gen-data", "--check").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--triangles", "900-300"), "--triangles"),
        (("--triangles", "4-9"), "--triangles"),
        (("--triangles", "many"), "--triangles"),
        (("--scenes", "0"), "--scenes"),
        (("--views", "0"), "--views"),
        (("--spp", "0"), "--spp"),
        (("--views", "1000", "--resolution", "1024"), "--views 1000 of --resolution 1024"),
        (("--views", "4", "--resolution", "2048", "--light-layers"), "--views 4 of --resolution 2048"),
        (("--resolution", "1"), "--resolution"),
        (("--out", "taken/data"), "taken"),
        (("--check",), "data holds no dataset"),
        (("--stats",), "data holds no scenes"),
        (("--meshes", "gone"), "--meshes gone"),
        (("--pack",), "data holds no scenes to pack"),
        (("--engine", "ray"), "--engine ray"),
        (("--shard", "3/2"), "--shard 3/2"),
        (("--shard", "half"), "--shard 'half'"),
        (("--merge",), "--merge"),
        (("--merge", "--shard", "1/2"), "--shard 1/2 is made"),
        (("--merge", "gone"), "gone holds no dataset"),
        (("gone",), "gone is an argument of --merge"),
        (("one", "two", "--check"), "one and two are two datasets"),
        (("one", "--stats", "--out", "two"), "one and two are two datasets"),
        (("gone", "--pack"), "gone"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    rf: Rf, tmp_path: Path, arguments: tuple[str, ...], names: str
) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    result = rf("gen-data", *arguments)
    assert result.exit_code == 2
    assert names in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
