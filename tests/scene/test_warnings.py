"""Warnings about black images and cameras inside objects."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import trimesh

from rfcli.scene import EMISSION, TriangleScene, load, scene_warnings
from rfcli.scene.geometry import look_at
from rfcli.scene.warnings import INSIDE_RAYS, is_inside, sphere_directions

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))


def scene_of(mesh: trimesh.Trimesh, cameras: list[tuple[float, float, float]]) -> TriangleScene:
    """The mesh, emitting, with cameras at these positions."""
    material = np.full((len(mesh.faces), 13), 0.5)
    poses = np.stack([look_at(place, (0.3, 0.2, 0.1), (0, 0, 1)) for place in cameras])
    normals = np.repeat(mesh.face_normals[:, None], 3, 1)
    return TriangleScene(mesh.triangles, normals, material, poses, np.full(len(cameras), 40.0))


@pytest.mark.parametrize("mesh", [trimesh.creation.box(), trimesh.creation.icosphere(2, 0.5)])
def test_only_cameras_inside_a_solid_are_reported(mesh: trimesh.Trimesh) -> None:
    (sentence,) = scene_warnings(scene_of(mesh, [(0, 0, 0.01), (0, -2, 0), (-0.1, 0.2, -0.3)]), [0, 1, 2])
    assert "camera 0, 2 only" in sentence
    assert scene_warnings(scene_of(mesh, [(0, 0, 0), (0, -2, 0)]), [1]) == []


def test_camera_in_a_room_is_not_inside() -> None:
    room = trimesh.creation.box()
    room.invert()
    assert scene_warnings(scene_of(room, [(0, 0, 0.01)]), [0]) == []


def test_camera_in_a_box_with_a_hole_is_not_inside() -> None:
    box = trimesh.creation.box()
    opened = trimesh.Trimesh(box.vertices, box.faces[:-4], process=False)
    assert scene_warnings(scene_of(opened, [(0, 0, 0.01)]), [0]) == []


def test_cameras_in_a_room_are_inside_only_within_its_objects() -> None:
    room = trimesh.creation.box((4, 4, 4))
    room.invert()
    wall = trimesh.creation.box((2, 0.2, 2))
    ball = trimesh.creation.icosphere(2, 0.3)
    ball.apply_translation((0, 1, 0))
    crowded = trimesh.util.concatenate([room, wall, ball])
    scene = scene_of(crowded, [(0, 0, 0), (0, -1, 0), (0.05, 1.05, 0)])
    places = scene.c2w[:, :3, 3].astype(np.float64)
    assert [is_inside(scene, place) for place in places] == [True, False, True]


def test_blocks_of_triangles_give_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of(trimesh.creation.icosphere(2, 0.5), [(0, 0, 0.01), (0, -2, 0)])
    monkeypatch.setattr("rfcli.scene.warnings.BLOCK_TRIANGLES", 7)
    assert [is_inside(scene, place) for place in scene.c2w[:, :3, 3].astype(np.float64)] == [True, False]


def test_directions_are_evenly_spread() -> None:
    spread = sphere_directions(INSIDE_RAYS)
    np.testing.assert_allclose(np.linalg.norm(spread, axis=1), 1)
    np.testing.assert_allclose(spread.mean(0), 0, atol=0.03)
    cosines = spread @ spread.T - 2 * np.eye(INSIDE_RAYS)
    assert np.degrees(np.arccos(cosines.max())) > 25


@pytest.mark.parametrize(("flat", "words"), [(1, "no light: 1 of 12"), (12, "None of the lights has an area")])
def test_lights_without_area_are_counted(flat: int, words: str) -> None:
    scene = scene_of(trimesh.creation.box(), [(0, -2, 0)])
    triangles = scene.triangles.copy()
    triangles[:flat] = triangles[:flat, :1]
    (sentence,) = scene_warnings(dataclasses.replace(scene, triangles=triangles), [0])
    assert words in sentence


def test_scene_without_lights_is_reported() -> None:
    scene = scene_of(trimesh.creation.box(), [(0, -2, 0)])
    material = scene.material.copy()
    material[:, EMISSION] = 0
    assert "Nothing emits" in scene_warnings(dataclasses.replace(scene, material=material), [0])[0]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_have_no_warnings(path: Path) -> None:
    scene = load(path)
    assert scene_warnings(scene, range(len(scene.c2w))) == []
