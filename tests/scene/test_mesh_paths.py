"""Mesh paths of scenes: spellings of other systems are recognised, and double faces have normals."""

import json
from pathlib import Path

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.scene import load
from rfcli.scene.mesh_paths import probable_name
from tests.scene.conftest import TRIANGLE, description


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("meshes\\part.obj", "meshes/part.obj"),
        ("Meshes/PART.OBJ", "meshes/part.obj"),
        ("meshes/a%20b.obj", "meshes/a b.obj"),
        ("MESHES\\A%20B.obj", "meshes/a b.obj"),
        (".\\meshes\\part.obj", "meshes/part.obj"),
    ],
)
def test_the_file_that_was_meant_is_named(tmp_path: Path, written: str, meant: str) -> None:
    scene = description()
    scene["objects"]["part"]["mesh_path"] = written
    (tmp_path / "meshes").mkdir()
    for name in ("part.obj", "a b.obj"):
        (tmp_path / "meshes" / name).write_text(TRIANGLE)
    (tmp_path / "scene.json").write_text(json.dumps(scene))
    with pytest.raises(InputError) as caught:
        load(tmp_path / "scene.json")
    assert f"there is no such mesh; write {meant}." in str(caught.value)
    scene["objects"]["part"]["mesh_path"] = meant
    (tmp_path / "scene.JSON").write_text(json.dumps(scene))
    assert len(load(tmp_path / "scene.JSON")) == 1


@pytest.mark.parametrize("name", ["../secret.obj", "..\\secret.obj", "%2e%2e/secret.obj", "none.obj", "meshes"])
def test_nothing_outside_the_folder_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.obj").write_text(TRIANGLE)
    (tmp_path / "scene" / "meshes").mkdir(parents=True)
    assert probable_name(tmp_path / "scene", name) is None


def test_double_faces_of_a_smooth_object_are_drawn_once(write_scene) -> None:
    tent = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0.1\nf 1 2 3\nf 2 4 3\n"
    single = load(write_scene(description(smooth_shading=True), tent))
    double = load(write_scene(description(smooth_shading=True), tent + "f 3 2 1\nf 3 4 2\n"))
    np.testing.assert_array_equal(double.triangles, single.triangles)
    np.testing.assert_array_equal(double.vn, single.vn)
    np.testing.assert_allclose(np.linalg.norm(double.vn, axis=-1), 1, atol=1e-6)


def test_a_vertex_normal_is_never_zero(write_scene) -> None:
    """Two triangles on the same vertices but one: the normals around the common edge cancel."""
    mesh = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 1 0\nf 1 2 3\nf 2 1 4\nf 1 1 2\n"
    for smooth in (True, False):
        scene = load(write_scene(description(smooth_shading=smooth), mesh))
        np.testing.assert_allclose(np.linalg.norm(scene.vn, axis=-1), 1, atol=1e-6)
