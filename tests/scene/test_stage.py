"""Meshes on the stage: place, scale, direction and number of faces, against solids that are known in closed form."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from rfcli.errors import InputError
from rfcli.scene import EMISSION, TriangleScene
from rfcli.scene.stage import FLOOR, LIFT, LONGEST, WIDEST, Up, stage
from rfcli.scene.suffixes import MESHES

STAGE = 2 * 2 * 8 * 8 + 1  # triangles of floor, wall and light


def standing(scene: TriangleScene) -> np.ndarray:
    """The mesh's own triangles [N, 3, 3]: they come first."""
    return scene.triangles[:-STAGE]


def written(path: Path, mesh: trimesh.Trimesh) -> Path:
    mesh.export(path)
    return path


def long_box() -> trimesh.Trimesh:
    """1 x 2 x 4 along x, y, z, away from the origin, in triangles enough."""
    box = trimesh.creation.box((1, 2, 4)).subdivide().subdivide().subdivide()
    box.apply_translation((7, -3, 2))
    return box


@pytest.mark.parametrize("suffix", MESHES)
def test_every_format_stands_on_the_floor_upright(tmp_path: Path, suffix: str) -> None:
    mesh = long_box()
    if suffix == ".glb":  # glTF's y is up
        mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    scene = stage(written(tmp_path / f"box{suffix}", mesh)).scene
    corners = standing(scene).reshape(-1, 3)
    # the longest side, 4, becomes LONGEST; the outermost corner is then at 5^0.5 / 2 x LONGEST / 4 < WIDEST
    half = LONGEST / 4 * np.array([1, 2, 4]) / 2
    np.testing.assert_allclose(corners.min(0), (-half[0], -half[1], FLOOR + LIFT), atol=1e-5)
    np.testing.assert_allclose(corners.max(0), (half[0], half[1], FLOOR + LIFT + LONGEST), atol=1e-5)
    assert len(corners) == 3 * len(mesh.faces)


@pytest.mark.parametrize(("up", "height"), [("auto", 4), ("z", 4), ("y", 2)])
def test_the_vertical_axis_is_a_choice(tmp_path: Path, up: Up, height: float) -> None:
    corners = standing(stage(written(tmp_path / "box.ply", long_box()), up).scene)
    sides = np.ptp(corners.reshape(-1, 3), axis=0)
    assert sides[2] / sides[0] == pytest.approx(height, rel=1e-4)


def test_a_wide_mesh_keeps_clear_of_the_wall(tmp_path: Path) -> None:
    plate = trimesh.creation.box((4, 4, 0.1)).subdivide().subdivide().subdivide()
    corners = standing(stage(written(tmp_path / "plate.off", plate)).scene)
    assert np.linalg.norm(corners[..., :2], axis=-1).max() == pytest.approx(WIDEST, rel=1e-5)


def test_too_many_faces_are_decimated_and_said(tmp_path: Path) -> None:
    path = written(tmp_path / "ball.ply", trimesh.creation.icosphere(5))  # 20,480 faces
    staged = stage(path, max_triangles=2048)
    assert 1900 < len(staged.scene) <= 2048
    ball = trimesh.Trimesh(
        standing(staged.scene).reshape(-1, 3), np.arange(3 * (len(staged.scene) - STAGE)).reshape(-1, 3)
    )
    radius = LONGEST / 2
    assert ball.volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.02)
    (note,) = staged.notes
    assert "ball.ply: 20,480 faces decimated to" in note
    assert "--max-triangles" in note


def test_too_few_faces_are_said_and_enough_are_not(tmp_path: Path) -> None:
    (note,) = stage(written(tmp_path / "box.obj", trimesh.creation.box())).notes
    assert "12 faces are few" in note
    assert stage(written(tmp_path / "ball.obj", trimesh.creation.icosphere(3))).notes == ()


def test_faces_wound_inwards_are_turned_and_empty_ones_dropped(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(3)
    inside_out = trimesh.Trimesh(ball.vertices, np.concatenate([ball.faces[:, ::-1], [[0, 0, 1]]]), process=False)
    scene = stage(written(tmp_path / "ball.ply", inside_out)).scene
    corners, normals = standing(scene), scene.vn[:-STAGE]
    assert len(corners) == len(ball.faces)
    outwards = corners - corners.reshape(-1, 3).mean(axis=0)
    outwards /= np.linalg.norm(outwards, axis=-1, keepdims=True)
    assert ((normals * outwards).sum(-1) > 0.95).all()


def test_the_light_is_as_published_and_the_camera_sees_the_mesh(tmp_path: Path) -> None:
    scene = stage(written(tmp_path / "ball.stl", trimesh.creation.icosphere(3))).scene
    (light,) = scene.triangles[scene.emitters]
    place = light.mean(axis=0)
    assert 2.1 <= np.linalg.norm(place) <= 2.7
    assert 2500 <= scene.material[scene.emitters][0, EMISSION][0] <= 5000
    facing = scene.vn[scene.emitters][0, 0] @ -place / np.linalg.norm(place)
    assert facing == pytest.approx(1, abs=1e-5)
    for normal in scene.vn[:-1][-128:, 0]:
        np.testing.assert_allclose(normal, (0, -1, 0), atol=1e-6)  # the wall faces the camera
    for normal in scene.vn[-STAGE:][:128, 0]:
        np.testing.assert_allclose(normal, (0, 0, 1), atol=1e-6)  # the floor faces up
    seen = (standing(scene).reshape(-1, 3) - scene.c2w[0, :3, 3]) @ scene.c2w[0, :3, :3]
    reach = np.abs(seen[:, :2]) / -seen[:, 2:]
    assert (seen[:, 2] < 0).all()
    assert reach.max() < np.tan(np.radians(scene.fov[0] / 2))  # all of it in the picture
    assert np.linalg.norm(scene.c2w[0, :3, 3]) == pytest.approx(1.75, abs=0.25)  # the published 1.5..2


def soup(faces: int) -> trimesh.Trimesh:
    """Separate triangles, which have no edge to collapse."""
    corners = np.random.default_rng(0).uniform(-1, 1, (3 * faces, 3))
    return trimesh.Trimesh(corners, np.arange(3 * faces).reshape(-1, 3), process=False)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.obj"):
        stage(tmp_path / "absent.obj")
    (tmp_path / "text.glb").write_text("no mesh")
    with pytest.raises(InputError, match=r"text\.glb"):
        stage(tmp_path / "text.glb")
    flat = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]], process=False)
    with pytest.raises(InputError, match=r"line\.ply.*area"):
        stage(written(tmp_path / "line.ply", flat))
    with pytest.raises(InputError, match=r"--max-triangles 400"):
        stage(written(tmp_path / "ball.ply", trimesh.creation.icosphere(2)), max_triangles=400)


def test_separate_triangles_are_decimated_too(tmp_path: Path) -> None:
    staged = stage(written(tmp_path / "soup.ply", soup(3000)), max_triangles=1024)
    assert STAGE < len(staged.scene) <= 1024
