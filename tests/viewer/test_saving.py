"""Files that the page writes."""

import json
import shutil
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

import rfcli
from rfcli.errors import InputError
from rfcli.pictures import DisplaySettings, read_exr
from rfcli.pictures.renderers import RasterRenderer, RenderSettings
from rfcli.scene import DIFFUSE, EMISSION, ROUGHNESS
from rfcli.scene.geometry import look_at
from rfcli.viewer.cameras import WindowCamera
from rfcli.viewer.drawing import Settings, Shown, SideReport
from rfcli.viewer.edits import EditableScene, Material, SceneEdits
from rfcli.viewer.saving import check_scene_file, save_picture, save_scene, save_video
from tests.support.viewer_scenes import two_lamps

NEW_CAMERA = look_at((0.9, -1.1, 0.8), (0.0, 0.0, 0.1)).astype(np.float32)


def test_picture_is_what_is_seen(tmp_path: Path) -> None:
    left, right = np.random.default_rng(0).random((2, 8, 12, 3), dtype=np.float32)
    camera = WindowCamera(tuple(np.eye(4).reshape(-1)), 40.0, 1.5)
    shown = Shown(camera, SceneEdits(), left, right, (SideReport("a", "1 s"), SideReport("b", "2 s")), True, 12)
    settings = Settings(12, DisplaySettings(1.0), 0.25)
    first = save_picture(shown, settings, tmp_path / "new", "scene")
    second = save_picture(shown, settings, tmp_path / "new", "scene")
    assert [path.name for path in first + second] == [
        "scene-seen-1.png",
        "scene-seen-1.exr",
        "scene-seen-2.png",
        "scene-seen-2.exr",
    ]
    np.testing.assert_array_equal(read_exr(first[1]), np.concatenate([left[:, :3], right[:, 3:]], axis=1))
    np.testing.assert_array_equal(imageio.imread(first[0]), shown.pixels(settings.display, 0.25))


def changed_cornell(folder: Path) -> tuple[Path, EditableScene, SceneEdits, np.ndarray, np.ndarray]:
    shutil.copy("examples/cornell-box.json", folder)
    shutil.copytree("examples/meshes", folder / "meshes")
    path = folder / "cornell-box.json"
    scene = rfcli.load_scene(path)
    original = EditableScene.of(scene, path)
    edits = SceneEdits().with_radiance(0, (1.0, 2.0, 3.0)).with_offset(0, (0.1, -0.1, 0.0))
    edits = edits.with_material(original.surfaces[-1], Material((0.2, 0.4, 0.6), (0.5, 0.5, 0.5), 0.25))
    return path, original, edits, np.concatenate([scene.c2w, NEW_CAMERA[None]]), np.append(scene.fov, np.float32(50))


@pytest.mark.parametrize("name", ["changed.json", "changed.h5", "cornell-box.json"])
def test_saved_scene_is_the_changed_one(tmp_path: Path, name: str) -> None:
    path, original, edits, c2w, fov = changed_cornell(tmp_path)
    save_scene(tmp_path / name, original, edits, c2w, fov, path)
    read, expected = rfcli.load_scene(tmp_path / name), edits.apply(original)
    np.testing.assert_allclose(read.triangles, expected.triangles, atol=1e-5)
    np.testing.assert_allclose(read.material[:, EMISSION], expected.material[:, EMISSION], rtol=1e-3)
    np.testing.assert_allclose(read.material[:, DIFFUSE], expected.material[:, DIFFUSE], atol=1 / 254)  # 256 steps
    np.testing.assert_allclose(read.material[:, ROUGHNESS], expected.material[:, ROUGHNESS], atol=1e-3)
    np.testing.assert_allclose(read.c2w, c2w, atol=1e-5)
    np.testing.assert_allclose(read.fov, fov, atol=1e-4)


def test_saved_json_keeps_all_that_is_unchanged(tmp_path: Path) -> None:
    path, original, _, c2w, fov = changed_cornell(tmp_path)
    before = json.loads(path.read_text())
    save_scene(tmp_path / "copy.json", original, SceneEdits(), c2w[:-1], fov[:-1], path)
    assert json.loads((tmp_path / "copy.json").read_text()) == before


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("scene.png", "a.json", "written as .h5"),
        ("scene.json", "a.h5", "only a scene from a .json file"),
        ("scene.json", None, "only a scene from a .json file"),
        ("elsewhere/scene.json", "a.json", "give a file in that folder"),
    ],
)
def test_scene_files_that_cannot_be_written(tmp_path: Path, name: str, source: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_scene_file(tmp_path / name, tmp_path / source if source else None)


def test_video_goes_from_camera_to_camera(tmp_path: Path) -> None:
    scene = two_lamps()
    settings = RenderSettings(RasterRenderer(), 16, DisplaySettings(), tmp_path)
    try:
        progress = list(save_video(settings, scene, "walk", 4, 12))
    except Exception as error:
        if "OpenGL" in str(error) or "EGL" in str(error):
            pytest.skip("no OpenGL here")
        raise
    assert progress[:-1] == [1, 2, 3, 4]
    assert [path.name for path in progress[-1]] == ["walk-path.mp4", "walk-path.gif"]
    first = imageio.imread(tmp_path / "walk-path-frames" / "frame-0000.png")
    display = settings.display.convert(next(RasterRenderer().render(scene, 16)).image)
    np.testing.assert_array_equal(first, display)
    assert list(save_video(settings, scene, "walk", 4, 12))[:-1] == []  # finished frames are kept


def test_video_needs_two_cameras(tmp_path: Path) -> None:
    scene = two_lamps()
    alone = rfcli.TriangleScene(scene.triangles, scene.vn, scene.material, scene.c2w[:1], scene.fov[:1])
    settings = RenderSettings(RasterRenderer(), 16, DisplaySettings(), tmp_path)
    with pytest.raises(InputError, match="two cameras"):
        list(save_video(settings, alone, "walk", 4, 12))
