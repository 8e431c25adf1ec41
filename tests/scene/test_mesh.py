"""Meshes: broken files, and placement against explicit matrices."""

import numpy as np
import pytest
import trimesh

from rfcli.errors import InputError
from rfcli.scene import load
from rfcli.scene.mesh import normalize, place, read_mesh, remesh
from rfcli.scene.schema import Transform
from tests.scene.conftest import TRIANGLE, description


@pytest.mark.parametrize(
    ("mesh", "words"),
    [
        (None, "no such mesh"),
        ("", "no faces"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no faces"),
        ("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("v 0 0 inf\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("v 0 0 0\nv 1 0 0\nf 1 2 7\n", "part.obj"),
        (bytes(range(256)), "part.obj"),
    ],
)
def test_broken_mesh_is_refused_by_name(write_scene, mesh: str | bytes | None, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load(write_scene(description(), mesh))
    assert "part.obj" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_quads_become_triangles_in_file_order(tmp_path) -> None:
    path = tmp_path / "quad.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\nf 1 2 3\n")
    mesh = read_mesh(path)
    assert len(mesh.faces) == 3
    np.testing.assert_array_equal(mesh.faces[2] if (mesh.faces[0] == [0, 1, 2]).all() else mesh.faces[0], [0, 1, 2])


def test_materials_in_one_file_are_one_mesh(tmp_path) -> None:
    path = tmp_path / "two.obj"
    path.write_text(TRIANGLE.replace("f", "usemtl a\nf") + "usemtl b\nf 3 2 1\n")
    assert len(read_mesh(path).faces) == 2


def test_normalize_moves_the_mean_to_0_and_the_farthest_vertex_to_one_half() -> None:
    mesh = trimesh.Trimesh([[0, 0, 0], [4, 0, 0], [2, 3, 0]], [[0, 1, 2]], process=False)
    normalize(mesh)
    radius = np.hypot(2, 1)  # the mean is (2, 1, 0); the first two vertices are farther from it than the third
    np.testing.assert_allclose(mesh.vertices, np.array([[-2, -1, 0], [2, -1, 0], [0, 2, 0]]) / (2 * radius))


def test_place_rotates_about_x_then_y_then_z_then_scales_then_translates() -> None:
    mesh = trimesh.Trimesh([[1.0, 2.0, 3.0], [0, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False)
    place(mesh, Transform(translation=(10, 20, 30), rotation=(90, 90, 90), scale=(2, 3, 4)))
    # (1, 2, 3) -> about x: (1, -3, 2) -> about y: (2, -3, -1) -> about z: (3, 2, -1)
    np.testing.assert_allclose(mesh.vertices[0], [3 * 2 + 10, 2 * 3 + 20, -1 * 4 + 30], atol=1e-12)


def test_place_matches_rotation_matrices() -> None:
    angles = np.array([30.0, -50.0, 110.0])
    cx, cy, cz = np.cos(np.deg2rad(angles))
    sx, sy, sz = np.sin(np.deg2rad(angles))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    points = np.random.default_rng(0).normal(size=(3, 3))
    mesh = trimesh.Trimesh(points, [[0, 1, 2]], process=False)
    place(mesh, Transform(translation=(1, 2, 3), rotation=tuple(angles), scale=(0.5, 2, 1)))
    expected = points @ (about_z @ about_y @ about_x).T * [0.5, 2, 1] + [1, 2, 3]
    np.testing.assert_allclose(mesh.vertices, expected, atol=1e-12)


@pytest.mark.parametrize("target", [80, 320, 1000])
def test_remesh_keeps_the_volume_and_meets_the_count(target: int) -> None:
    sphere = trimesh.creation.icosphere(subdivisions=2)  # 320 faces
    result = remesh(sphere, target)
    assert abs(len(result.faces) - target) <= 0.02 * target
    assert result.volume == pytest.approx(sphere.volume, rel=0.12)


def test_remesh_from_a_scene_file(write_scene) -> None:
    scene = description()
    scene["objects"]["part"].update(remesh=True, remesh_target_face_num=64)
    loaded = load(write_scene(scene))
    assert len(loaded) == 64  # one triangle, split in four three times
    areas = np.linalg.norm(np.cross(*(loaded.triangles[:, 1:] - loaded.triangles[:, :1]).transpose(1, 0, 2)), axis=1)
    np.testing.assert_allclose(areas / 2, 0.5 / 64, rtol=1e-5)
