"""`rf gen-data`: small datasets, extended datasets, the user's meshes, mistakes."""

import json
from pathlib import Path

import imageio.v3 as imageio
import pytest
import trimesh

from rfcli.cli.gen_data import preview_due, write_preview
from rfcli.dataset.local_engine import write_scene
from rfcli.dataset.manifest import read_manifest
from rfcli.dataset.sample import read_sample
from tests.cli.conftest import Rf
from tests.support.dataset_sources import NoiseSource

SMALL = ("--views", 2, "--resolution", 16, "--spp", 2, "--triangles", "128-256", "--workers", 1)


def test_a_larger_number_of_scenes_extends_the_dataset(rf: Rf, tmp_path: Path) -> None:
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


def write_box(path: Path, height: int) -> None:
    """A box as text, so that its bytes, whose hash decides the split, do not depend on a library's exporter."""
    box = trimesh.creation.box((2, 2, 2 * height))
    vertices = "".join("{:.0f} {:.0f} {:.0f}\n".format(*vertex) for vertex in box.vertices)
    faces = "".join("3 {} {} {}\n".format(*face) for face in box.faces)
    path.write_text(f"OFF\n8 12 0\n{vertices}{faces}", newline="\n")


@pytest.mark.slow
def test_user_meshes_are_used_and_recorded(rf: Rf, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "deep"
    folder.mkdir(parents=True)
    write_box(folder / "cube.off", 1)
    write_box(folder / "box.off", 2)
    (folder / "torn.ply").write_bytes(b"ply")
    large = ("--views", 1, "--resolution", 16, "--spp", 1, "--triangles", "500-700", "--scenes", 3)
    run = rf("gen-data", *large, "--meshes", "mine", "--workers", 1, "--json")
    assert run.exit_code == 0, run.output
    assert set(json.loads(run.stdout)["unusable_meshes"]) == {"deep/torn.ply"}
    assert "2 meshes in mine for train; 0 more belong to other splits, 1 cannot be used and are left out" in run.stderr
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


@pytest.mark.parametrize(
    ("split", "folder"),
    [("validation", "data-validation"), pytest.param("test", "data-test", marks=pytest.mark.slow)],
)
def test_held_out_splits_have_their_own_folder_and_scenes(rf: Rf, split: str, folder: str) -> None:
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
    assert rf("data", "check").exit_code == 0
    other = rf("gen-data", "--scenes", 1, *SMALL)
    assert "light_layers is True there and None here" in other.stderr


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
        (("--meshes", "gone"), "--meshes gone"),
        (("--engine", "ray"), "--engine ray"),
        (("--shard", "3/2"), "--shard 3/2"),
        (("--shard", "half"), "--shard 'half'"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    rf: Rf, tmp_path: Path, arguments: tuple[str, ...], names: str
) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    result = rf("gen-data", *arguments)
    assert result.exit_code == 2
    assert names in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_preview_updates_double_at_first_and_then_come_evenly() -> None:
    assert [count for count in range(1, 130) if preview_due(count)] == [1, 2, 4, 8, 16, 32, 64, 96, 128]


def test_preview_shows_the_first_view_of_each_scene(tmp_path: Path) -> None:
    write_preview(tmp_path, [])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "scenes").mkdir()
    entries = [write_scene(tmp_path, index, NoiseSource(), 1) for index in range(3)]
    for count in (1, 3):
        assert write_preview(tmp_path, entries[:count]) == tmp_path / "preview.png"
        assert imageio.imread(tmp_path / "preview.png").shape == (4 + 4, count * (4 + 2) + 2, 3)
