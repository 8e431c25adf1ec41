"""Round trips through HDF5, the official layout, and broken files."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import trimesh

import rfcli
from rfcli.errors import InputError
from rfcli.scene import TriangleScene, load, save
from rfcli.scene.geometry import look_at

FIELDS = ("triangles", "vn", "material", "c2w", "fov")


def random_scene(triangles: int = 150, views: int = 3) -> TriangleScene:
    random = np.random.default_rng(0)
    normals = random.normal(size=(triangles, 3, 3))
    return TriangleScene(
        triangles=random.uniform(-0.5, 0.5, (triangles, 3, 3)),
        vn=normals / np.linalg.norm(normals, axis=2, keepdims=True),
        material=random.uniform(0, 1, (triangles, 13)),
        c2w=np.stack([look_at(tuple(place), (0, 0, 0), (0, 0, 1)) for place in random.normal(size=(views, 3))]),
        fov=random.uniform(30, 60, views),
    )


def test_compact_round_trip_is_exact(tmp_path: Path) -> None:
    scene = random_scene()
    rfcli.save_scene(scene, tmp_path / "scene.h5")
    loaded = rfcli.load_scene(str(tmp_path / "scene.h5"))
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(scene, name))


def test_official_round_trip_is_exact_to_half_precision(tmp_path: Path) -> None:
    scene = random_scene()
    save(scene, tmp_path / "scene.h5", official=True)
    loaded = load(tmp_path / "scene.h5")
    np.testing.assert_array_equal(loaded.material, scene.material.astype(np.float16).astype(np.float32))
    for name in ("triangles", "vn", "c2w", "fov"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(scene, name))


def test_official_layout_has_the_names_and_texels_of_the_official_code(tmp_path: Path) -> None:
    scene = random_scene(triangles=70)
    save(scene, tmp_path / "scene.h5", official=True)
    with h5py.File(tmp_path / "scene.h5") as file:
        assert set(file) == {"triangles", "vn", "texture", "c2w", "fov"}
        assert file["texture"].dtype == np.float16
        texture = file["texture"][()]
    assert texture.shape == (70, 13, 32, 32)
    for i, j in ((0, 0), (31, 1), (1, 31), (16, 16)):
        np.testing.assert_array_equal(texture[:, :, i, j], scene.material.astype(np.float16))
    for i, j in ((31, 2), (17, 16), (31, 31)):
        assert not texture[:, :, i, j].any()


def test_materials_of_a_json_scene_fit_the_official_layout_exactly(write_scene, tmp_path: Path) -> None:
    from tests.scene.conftest import description

    scene = load(write_scene(description(emissive=[4321.7, 1.0, 0.1])))
    save(scene, tmp_path / "scene.h5", official=True)
    np.testing.assert_array_equal(load(tmp_path / "scene.h5").material, scene.material)


def test_images_in_the_file_are_ignored(tmp_path: Path) -> None:
    scene = random_scene()
    save(scene, tmp_path / "scene.h5")
    with h5py.File(tmp_path / "scene.h5", "a") as file:
        file["images"] = np.zeros((3, 4, 4, 3), np.float16)
    assert len(load(tmp_path / "scene.h5")) == len(scene)


def test_mesh_is_loaded_with_a_backdrop_and_a_note(tmp_path: Path) -> None:
    trimesh.creation.box().export(tmp_path / "box.PLY")
    with pytest.warns(UserWarning, match="only 12 faces"):
        loaded = rfcli.load_scene(tmp_path / "box.PLY")
    assert len(loaded) == 12 + 257
    assert loaded.emitters.sum() == 1


def break_file(path: Path, how: str) -> None:
    """Write a valid scene to `path`, then break it."""
    save(random_scene(views=1), path, official=how.startswith("texture"))
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:2000])
    elif how == "text":
        path.write_text("not HDF5")
    else:
        with h5py.File(path, "a") as file:
            edit = {
                "no triangles": lambda: file.__delitem__("triangles"),
                "no material": lambda: file.__delitem__("material"),
                "shape": lambda: (file.__delitem__("vn"), file.create_dataset("vn", data=np.zeros((3, 3)))),
                "nan": lambda: file["triangles"].write_direct(np.full((150, 3, 3), np.nan, np.float32)),
                "no cameras": lambda: [
                    (file.__delitem__(n), file.create_dataset(n, data=np.zeros(s)))
                    for n, s in (("c2w", (0, 4, 4)), ("fov", (0,)))
                ],
                "strings": lambda: (file.__delitem__("fov"), file.create_dataset("fov", data="wide")),
                "texture varies": lambda: file["texture"].__setitem__((3, 0, 4, 5), 0.123),
                "texture small": lambda: (
                    file.__delitem__("texture"),
                    file.create_dataset("texture", (150, 13, 8, 8), "f2"),
                ),
            }
            edit[how]()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("truncated", "not a readable HDF5"),
        ("text", "not a readable HDF5"),
        ("no triangles", "lacks triangles"),
        ("no material", "lacks material"),
        ("shape", "vn has shape"),
        ("nan", "not finite"),
        ("no cameras", "no cameras"),
        ("strings", "fov has values of type object"),
        ("texture varies", "varies within"),
        ("texture small", r"texture has shape .* \[any, 13, 32, 32\]"),
    ],
)
def test_broken_file_is_named(tmp_path: Path, how: str, words: str) -> None:
    path = tmp_path / "broken.h5"
    break_file(path, how)
    with pytest.raises(InputError, match=words) as caught:
        load(path)
    assert "broken.h5" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.json", "none.h5", ""])
def test_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such scene file"):
        load(tmp_path / name)


def test_unknown_suffixes_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "scene.blend").write_text("")
    with pytest.raises(InputError, match=r"\.blend is not read .*\.json.*open it in Blender"):
        load(tmp_path / "scene.blend")
    with pytest.raises(InputError, match=r"written as \.h5 or \.json"):
        save(random_scene(), tmp_path / "scene.ply")
    with pytest.raises(InputError, match="no folder"):
        save(random_scene(), tmp_path / "nowhere" / "scene.h5")


def test_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "scene.h5"
    save(random_scene(), path)
    before = path.read_bytes()
    bright = random_scene()
    bright.material[0, 10] = 1e6
    with pytest.raises(InputError, match="65504"):
        save(bright, path, official=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["scene.h5"]


def test_interrupted_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rfcli.scene.hdf5._write_texture", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(random_scene(), tmp_path / "scene.h5", official=True)
    assert list(tmp_path.iterdir()) == []
