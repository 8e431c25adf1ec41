"""The user's meshes: search, checks, orientation, splits, and use in scenes."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from rfcli.errors import InputError
from rfcli.synth import SceneOptions, find_meshes, own_meshes, random_scene
from rfcli.synth.candidates import SPLITS, RejectedError
from rfcli.synth.own_meshes import OwnMeshes, own_shape, read_upright
from tests.support.glb_files import GlbFile, ball


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three usable meshes in three formats, two of them in sub-folders; three unusable meshes; another file."""
    (tmp_path / "more" / "deep").mkdir(parents=True)
    pear = trimesh.creation.icosphere(3)
    pear.vertices[:, 2] *= np.where(pear.vertices[:, 2] > 0, 2.0, 1.0)
    pear.export(tmp_path / "pear.ply")
    box = trimesh.creation.box((1.0, 2.0, 8.0))
    box.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))  # its height along y
    box.export(tmp_path / "more" / "tower.GLB", file_type="glb")
    open_ = trimesh.creation.cylinder(1.0, 1.0)
    open_.update_faces(open_.face_normals[:, 2] < 0.9)
    open_.apply_scale(1000.0)
    open_.export(tmp_path / "more" / "deep" / "cup.stl")
    (tmp_path / "torn.obj").write_text("v 0 0 0\nv 1 0 0\nf 1 2 3\n")
    (tmp_path / "empty.ply").write_bytes(b"")
    (tmp_path / "more" / "flat.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    (tmp_path / "readme.txt").write_text("no mesh")
    return tmp_path


@pytest.fixture(autouse=True)
def all_for_training(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Three files are too few for a held-out split."""
    if "held_out" not in request.node.name:
        monkeypatch.setattr(own_meshes, "split_of", lambda content: "train")


def test_usable_meshes_are_found_and_unusable_ones_named(folder: Path) -> None:
    seen: list[str] = []
    found = find_meshes(folder, on_file=seen.append)
    assert found.names == ("more/deep/cup.stl", "more/tower.GLB", "pear.ply")
    assert set(found.unusable) == {"torn.obj", "empty.ply", "more/flat.obj"}
    assert "0 faces" in found.unusable["more/flat.obj"]
    assert len(seen) == 6


def test_the_hash_depends_on_usable_files_and_not_on_their_folder(folder: Path, tmp_path: Path) -> None:
    before = find_meshes(folder)
    moved = folder.rename(tmp_path.parent / "moved")
    assert str(find_meshes(moved)) == str(before)
    (moved / "torn.obj").unlink()
    assert str(find_meshes(moved)) == str(before)
    trimesh.creation.box().export(moved / "pear.ply")
    assert str(find_meshes(moved)) != str(before)


def test_meshes_are_upright_with_longest_side_1(folder: Path) -> None:
    tower = read_upright(folder / "more" / "tower.GLB")
    assert tower.extents == pytest.approx((1 / 8, 2 / 8, 1.0), abs=1e-6)
    assert tower.bounds.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert tower.is_watertight
    assert tower.volume > 0
    assert not read_upright(folder / "more" / "deep" / "cup.stl").is_watertight


def test_inverted_solids_are_corrected(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(1)
    ball.invert()
    ball.export(tmp_path / "ball.stl")
    assert read_upright(tmp_path / "ball.stl").volume > 0


def test_shapes_keep_their_budget_and_depend_on_the_seed_alone(folder: Path) -> None:
    found = find_meshes(folder)
    volumes = set()
    for seed in range(12):
        first, again = (own_shape(np.random.default_rng(seed), found, 200).mesh for _ in range(2))
        assert (first.vertices == again.vertices).all()
        assert len(first.faces) <= 200
        assert first.extents.max() == pytest.approx(1.0)
        volumes.add(round(first.volume, 6))
    assert len(volumes) == 3


def test_colours_of_a_file_are_those_of_its_faces(tmp_path: Path) -> None:
    """A glowing red and a blue ball in one GLB: faces are red on the left, blue on the right, and none emits."""
    glb = GlbFile()
    for place, colour in ((-1.5, (1, 0, 0)), (1.5, (0, 0, 1))):
        surface = {"baseColorFactor": [*colour, 1], "metallicFactor": 0, "roughnessFactor": 0.3}
        material = glb.add("materials", {"pbrMetallicRoughness": surface, "emissiveFactor": [1, 1, 1]})
        glb.node(mesh=glb.mesh(**ball(), material=material), translation=[place, 0, 0])
    glb.write(tmp_path / "balls.glb")
    found = OwnMeshes(tmp_path, ("balls.glb",), "", 0, {})
    shape = own_shape(np.random.default_rng(0), found, 400)
    assert shape.material is not None
    left = shape.mesh.triangles_center[:, 0] < 0
    assert 100 < left.sum() < 300
    np.testing.assert_allclose(shape.material[left, :3], [(0.96, 0, 0)] * left.sum(), atol=1e-6)
    np.testing.assert_allclose(shape.material[~left, :3], [(0, 0, 0.96)] * (~left).sum(), atol=1e-6)
    np.testing.assert_allclose(shape.material[:, 3:7], [(0.04, 0.04, 0.04, 0.3)] * len(left), atol=1e-6)
    assert (shape.material[:, 10:] == 0).all()


def test_a_mesh_of_many_loose_parts_is_rejected(tmp_path: Path) -> None:
    tetrahedron = trimesh.Trimesh(
        [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)]
    )
    parts = [tetrahedron.copy().apply_translation([3 * i, 0, 0]) for i in range(200)]
    trimesh.util.concatenate(parts).export(tmp_path / "parts.stl")
    with pytest.raises(RejectedError, match="own mesh"):
        own_shape(np.random.default_rng(0), find_meshes(tmp_path), 100)


def test_scenes_contain_the_meshes(folder: Path) -> None:
    plain, own = SceneOptions((600, 900), 1), SceneOptions((600, 900), 1, find_meshes(folder))
    differ = [len(random_scene(3, i, plain)) != len(random_scene(3, i, own)) for i in range(6)]
    assert any(differ)
    assert (random_scene(3, 1, own).triangles == random_scene(3, 1, own).triangles).all()


def test_a_folder_without_usable_meshes_is_refused(tmp_path: Path) -> None:
    for folder, words in ((tmp_path / "gone", "not a folder"), (tmp_path, r"no \.obj")):
        with pytest.raises(InputError, match=f"`meshes`.*{words}"):
            find_meshes(folder)
    (tmp_path / "torn.obj").write_text("f 1 2 3\n")
    with pytest.raises(InputError, match=r"torn\.obj"):
        find_meshes(tmp_path)


def test_held_out_files_are_not_used_for_training(tmp_path: Path) -> None:
    for i in range(100):
        trimesh.creation.box((1.0, 1.0, 1.0 + i)).export(tmp_path / f"{i:02d}.stl")
    found = {split: find_meshes(tmp_path, split) for split in SPLITS}
    assert sum(len(meshes.names) for meshes in found.values()) == 100
    assert sorted(name for meshes in found.values() for name in meshes.names) == sorted(
        p.name for p in tmp_path.iterdir()
    )
    assert len(found["train"].names) > 75
    assert found["train"].others == 100 - len(found["train"].names)
    for name in (*found["validation"].names, *found["test"].names):
        (tmp_path / name).unlink()
    assert find_meshes(tmp_path).names == found["train"].names
    with pytest.raises(InputError, match="other splits than test"):
        find_meshes(tmp_path, "test")
