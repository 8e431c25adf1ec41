"""Meshes on a backdrop: position, scale, orientation and number of faces, against solids in closed form."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from rfcli.errors import InputError
from rfcli.scene import EMISSION, MESH_SUFFIXES, TriangleScene, Up, place_file
from rfcli.scene.backdrop import BACKDROP_CELLS, FLOOR_GAP, FLOOR_HEIGHT, MESH_RADIUS, MESH_SIZE

BACKDROP = 2 * 2 * BACKDROP_CELLS**2 + 1  # triangles of floor, wall and light


def mesh_triangles(scene: TriangleScene) -> np.ndarray:
    """The mesh's own triangles [N, 3, 3]: they come first."""
    return scene.triangles[:-BACKDROP]


def written(path: Path, mesh: trimesh.Trimesh) -> Path:
    if path.suffix == ".gltf":  # several files
        for name, content in mesh.export(file_type="gltf").items():
            (path if name.endswith(".gltf") else path.parent / name).write_bytes(content)
    else:
        mesh.export(path)
    return path


def long_box() -> trimesh.Trimesh:
    """1 x 2 x 4 along x, y, z, away from the origin, with so many triangles that there is no note."""
    box = trimesh.creation.box((1, 2, 4)).subdivide().subdivide().subdivide()
    box.apply_translation((7, -3, 2))
    return box


@pytest.mark.parametrize("suffix", MESH_SUFFIXES)
def test_each_format_is_upright_on_the_floor(tmp_path: Path, suffix: str) -> None:
    mesh = long_box()
    if suffix in (".obj", ".glb", ".gltf"):  # of which y is up
        mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    scene = place_file(written(tmp_path / f"box{suffix}", mesh)).scene
    corners = mesh_triangles(scene).reshape(-1, 3)
    # the longest side, 4, becomes MESH_SIZE; the radius is then 5^0.5 / 2 x MESH_SIZE / 4 < MESH_RADIUS
    half = MESH_SIZE / 4 * np.array([1, 2, 4]) / 2
    np.testing.assert_allclose(corners.min(0), (-half[0], -half[1], FLOOR_HEIGHT + FLOOR_GAP), atol=1e-5)
    np.testing.assert_allclose(corners.max(0), (half[0], half[1], FLOOR_HEIGHT + FLOOR_GAP + MESH_SIZE), atol=1e-5)
    assert len(corners) == 3 * len(mesh.faces)


@pytest.mark.parametrize(("up", "height"), [("auto", 4), ("z", 4), ("y", 2)])
def test_up_chooses_the_vertical_axis(tmp_path: Path, up: Up, height: float) -> None:
    corners = mesh_triangles(place_file(written(tmp_path / "box.ply", long_box()), up).scene)
    sides = np.ptp(corners.reshape(-1, 3), axis=0)
    assert sides[2] / sides[0] == pytest.approx(height, rel=1e-4)


def test_a_wide_mesh_does_not_touch_the_wall(tmp_path: Path) -> None:
    plate = trimesh.creation.box((4, 4, 0.1)).subdivide().subdivide().subdivide()
    corners = mesh_triangles(place_file(written(tmp_path / "plate.off", plate)).scene)
    assert np.linalg.norm(corners[..., :2], axis=-1).max() == pytest.approx(MESH_RADIUS, rel=1e-5)


def test_too_many_faces_are_decimated_with_a_note(tmp_path: Path) -> None:
    path = written(tmp_path / "ball.ply", trimesh.creation.icosphere(5))  # 20,480 faces
    placed = place_file(path, max_triangles=2048)
    assert 1900 < len(placed.scene) <= 2048
    ball = trimesh.Trimesh(
        mesh_triangles(placed.scene).reshape(-1, 3), np.arange(3 * (len(placed.scene) - BACKDROP)).reshape(-1, 3)
    )
    radius = MESH_SIZE / 2
    assert ball.volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.02)
    up, note = placed.notes
    assert "ball.ply: z is taken as up" in up
    assert "ball.ply: 20,480 faces decimated to" in note


def test_only_coarse_meshes_have_a_note(tmp_path: Path) -> None:
    _, note = place_file(written(tmp_path / "box.obj", trimesh.creation.box())).notes
    assert "only 12 faces" in note
    (up,) = place_file(written(tmp_path / "ball.obj", trimesh.creation.icosphere(3))).notes
    assert "ball.obj: y is taken as up, as usual in .obj files" in up
    assert place_file(tmp_path / "ball.obj", up="y").notes == ()


def test_inward_faces_are_flipped_and_faces_without_area_removed(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(3)
    inside_out = trimesh.Trimesh(ball.vertices, np.concatenate([ball.faces[:, ::-1], [[0, 0, 1]]]), process=False)
    scene = place_file(written(tmp_path / "ball.ply", inside_out)).scene
    corners, normals = mesh_triangles(scene), scene.vn[:-BACKDROP]
    assert len(corners) == len(ball.faces)
    outwards = corners - corners.reshape(-1, 3).mean(axis=0)
    outwards /= np.linalg.norm(outwards, axis=-1, keepdims=True)
    assert ((normals * outwards).sum(-1) > 0.95).all()


def test_light_is_in_the_published_range_and_camera_sees_the_mesh(tmp_path: Path) -> None:
    scene = place_file(written(tmp_path / "ball.stl", trimesh.creation.icosphere(3))).scene
    (light,) = scene.triangles[scene.emitters]
    place = light.mean(axis=0)
    assert 2.1 <= np.linalg.norm(place) <= 2.7
    assert 2500 <= scene.material[scene.emitters][0, EMISSION][0] <= 5000
    facing = scene.vn[scene.emitters][0, 0] @ -place / np.linalg.norm(place)
    assert facing == pytest.approx(1, abs=1e-5)
    for normal in scene.vn[:-1][-128:, 0]:
        np.testing.assert_allclose(normal, (0, -1, 0), atol=1e-6)  # the wall faces the camera
    for normal in scene.vn[-BACKDROP:][:128, 0]:
        np.testing.assert_allclose(normal, (0, 0, 1), atol=1e-6)  # the floor faces up
    seen = (mesh_triangles(scene).reshape(-1, 3) - scene.c2w[0, :3, 3]) @ scene.c2w[0, :3, :3]
    reach = np.abs(seen[:, :2]) / -seen[:, 2:]
    assert (seen[:, 2] < 0).all()
    assert reach.max() < np.tan(np.radians(scene.fov[0] / 2))  # all of it in the picture
    assert np.linalg.norm(scene.c2w[0, :3, 3]) == pytest.approx(1.75, abs=0.25)  # the published 1.5..2


def separate_triangles(faces: int) -> trimesh.Trimesh:
    """Separate triangles, which have no edge to collapse."""
    corners = np.random.default_rng(0).uniform(-1, 1, (3 * faces, 3))
    return trimesh.Trimesh(corners, np.arange(3 * faces).reshape(-1, 3), process=False)


def test_errors_name_file_and_argument(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.obj"):
        place_file(tmp_path / "absent.obj")
    (tmp_path / "text.glb").write_text("no mesh")
    with pytest.raises(InputError, match=r"text\.glb"):
        place_file(tmp_path / "text.glb")
    flat = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]], process=False)
    with pytest.raises(InputError, match=r"line\.ply.*area"):
        place_file(written(tmp_path / "line.ply", flat))
    with pytest.raises(InputError, match="`max_triangles` 400"):
        place_file(written(tmp_path / "ball.ply", trimesh.creation.icosphere(2)), max_triangles=400)


def test_triangles_without_common_vertices_are_decimated(tmp_path: Path) -> None:
    placed = place_file(written(tmp_path / "heap.ply", separate_triangles(3000)), max_triangles=1024)
    assert BACKDROP < len(placed.scene) <= 1024
