"""Example scenes load, are like the published training scenes, are lit, and show objects to each camera."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rfcli.pictures.images import read_exr
from rfcli.scene import TriangleScene, load
from rfcli.scene.geometry import face_normals, first_hits, triangle_areas

FOLDER = Path(__file__).parents[2] / "examples"
WEIGHTS = FOLDER.parent / "rfcli" / "weights"
SCENES = sorted(FOLDER.glob("*.json"))


@pytest.fixture(scope="module", params=SCENES, ids=[path.stem for path in SCENES])
def scene(request: pytest.FixtureRequest) -> TriangleScene:
    return load(request.param)


def visible_triangles(scene: TriangleScene, view: int, resolution: int = 12) -> np.ndarray:
    """[resolution^2] index of the first triangle on the ray through each pixel, -1 for none."""
    half = np.tan(np.deg2rad(scene.fov[view]) / 2)
    steps = (np.arange(resolution) + 0.5) / resolution * 2 - 1
    x, y = np.meshgrid(steps * half, -steps * half)
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1).reshape(-1, 3) @ scene.c2w[view, :3, :3].T
    distance, _, triangle = first_hits(scene.c2w[view, :3, 3], rays, scene.triangles.astype(np.float64))
    return np.where(np.isfinite(distance), triangle, -1)


def test_there_are_at_least_five_scenes_with_the_cornell_box() -> None:
    assert len(SCENES) >= 5
    assert FOLDER / "cornell-box.json" in SCENES


def test_surfaces_are_in_the_unit_cube_and_lights_near_it(scene: TriangleScene) -> None:
    surfaces = scene.triangles[~scene.emitters]
    assert np.abs(surfaces).max() <= 0.5 + 1e-6
    assert np.linalg.norm(scene.triangles[scene.emitters], axis=-1).max() < 2.8


def test_size_cameras_and_materials_are_in_the_published_ranges(scene: TriangleScene) -> None:
    assert 400 <= len(scene) <= 2000
    assert 1 <= len(scene.c2w) <= 4
    distance = np.linalg.norm(scene.c2w[:, :3, 3], axis=1)
    assert ((distance >= 1.5) & (distance <= 2.0)).all()
    assert ((scene.fov >= 30) & (scene.fov <= 60)).all()
    surfaces = scene.material[~scene.emitters]
    assert (surfaces[:, :3].max(1) + surfaces[:, 3] <= 1.01).all()  # no surface reflects more light than it receives


def test_normals_are_unit_and_no_triangle_is_degenerate(scene: TriangleScene) -> None:
    np.testing.assert_allclose(np.linalg.norm(scene.vn, axis=-1), 1, atol=1e-5)
    assert triangle_areas(scene.triangles).min() > 5e-8
    assert (
        np.einsum("nk,nvk->nv", face_normals(scene.triangles), scene.vn) > 0
    ).all()  # corners are counter-clockwise around the normal


def test_scene_is_lit(scene: TriangleScene) -> None:
    """Direct light without shadows, on surfaces that face a light, is in the range of a display."""
    light = scene.triangles[scene.emitters]
    area = face_normals(light) * triangle_areas(light)[:, None]
    surfaces = ~scene.emitters
    to_light = light.mean(1) - scene.triangles[surfaces].mean(1)[:, None]
    squared = (to_light**2).sum(-1)
    facing = np.maximum(np.einsum("nlk,nk->nl", to_light, scene.vn[surfaces].mean(1)), 0)
    emitting = np.abs(np.einsum("nlk,lk->nl", to_light, area))  # lights emit on both sides
    emitted = scene.material[scene.emitters][:, 10:13].mean(-1)
    irradiance = (emitted * facing * emitting / squared**2).sum(1)
    radiance = irradiance * scene.material[surfaces][:, :3].mean(-1) / np.pi
    assert 0.05 < np.median(radiance[irradiance > 0]) < 2


def test_each_camera_sees_several_materials(scene: TriangleScene) -> None:
    for view in range(len(scene.c2w)):
        visible = visible_triangles(scene, view)
        assert (visible >= 0).mean() > 0.5
        colours = np.unique(scene.material[visible[visible >= 0]][:, :3].round(2), axis=0)
        assert len(colours) >= 3


def test_cornell_box_is_red_on_the_left_and_green_on_the_right_with_a_light_above() -> None:
    box = load(FOLDER / "cornell-box.json")
    image = np.append(box.material, np.zeros((1, 13), np.float32), axis=0)[visible_triangles(box, 0, 24)].reshape(
        24, 24, 13
    )
    left, right = image[12, 1, :3], image[12, -2, :3]
    assert left[0] > 4 * left[1]
    assert right[1] > 3 * right[0]
    light = np.argwhere(image[..., 10] > 0)
    assert len(light) > 4
    assert light[:, 0].max() < 8
    assert len(box) <= 1100


def test_meshes_match_the_output_of_make_meshes(tmp_path: Path) -> None:
    script = tmp_path / "make_meshes.py"
    script.write_text((FOLDER / "make_meshes.py").read_text())
    subprocess.run([sys.executable, script], check=True)
    written = {path.name: path for path in (tmp_path / "meshes").iterdir()}
    stored = {path.name: path for path in (FOLDER / "meshes").iterdir()}
    used = {
        Path(part["mesh_path"]).name for path in SCENES for part in json.loads(path.read_text())["objects"].values()
    }
    assert written.keys() == stored.keys() == used
    for name, path in written.items():
        numbers, expected = (
            np.array([line.split()[1:] for line in p.read_text().splitlines()], float) for p in (path, stored[name])
        )
        np.testing.assert_allclose(numbers, expected, atol=2e-5)


@pytest.mark.skipif(not list(WEIGHTS.rglob("model.safetensors")), reason="no bundled weights")
@pytest.mark.slow
def test_render_scene_writes_png_and_exr_of_each_camera(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    command = [sys.executable, FOLDER / "render_scene.py", FOLDER / "chess.json"]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chess-0.exr", "chess-0.png", "chess-1.exr", "chess-1.png"]
    image = read_exr(tmp_path / "chess-0.exr")
    assert image.shape == (256, 256, 3)
    assert np.isfinite(image).all()
    assert image.std() > 0.01
