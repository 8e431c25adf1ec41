"""Paths of cameras and lights against circles in closed form, and arcs against walls in known places."""

from dataclasses import replace

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.pictures.motion import CameraPath, Motion, visible_arc
from rfcli.scene.geometry import look_at
from tests.support.picture_scenes import wall_at


def test_camera_moves_in_even_steps_and_faces_the_scene() -> None:
    scene = wall_at()
    ((numbers, moved),) = Motion(8, arc=360).scenes(scene, range(8))
    assert list(numbers) == list(range(8))
    for frame, pose in enumerate(moved.c2w):
        angle = -np.pi / 2 + 2 * np.pi * frame / 8
        eye = (1.8 * np.cos(angle), 1.8 * np.sin(angle), 0.3)
        np.testing.assert_allclose(pose, look_at(eye, (0, 0, 0), (0, 0, 1)), atol=1e-6)
    assert (moved.fov == scene.fov[0]).all()
    np.testing.assert_array_equal(moved.triangles, scene.triangles)


def test_camera_swings_back_and_forth_within_its_arc() -> None:
    ((_, moved),) = Motion(8, arc=60).scenes(wall_at(), range(8))
    azimuth = np.degrees(np.arctan2(moved.c2w[:, 1, 3], moved.c2w[:, 0, 3])) + 90
    half = 30 * np.sqrt(0.5)
    np.testing.assert_allclose(azimuth, [0, half, 30, half, 0, -half, -30, -half], atol=1e-4)


def test_frames_do_not_depend_on_the_others_requested() -> None:
    ((_, every),) = Motion(6, arc=90).scenes(wall_at(), range(6))
    ((numbers, some),) = Motion(6, arc=90).scenes(wall_at(), [1, 4])
    assert list(numbers) == [1, 4]
    np.testing.assert_array_equal(some.c2w, every.c2w[[1, 4]])


@pytest.mark.parametrize("camera", [False, True])
def test_only_the_light_moves_and_the_camera_if_requested(camera: bool) -> None:
    scene = wall_at()
    frames = list(Motion(4, camera=camera, light=True).scenes(scene, range(4)))
    assert [list(numbers) for numbers, _ in frames] == [[0], [1], [2], [3]]
    _, quarter = frames[1]
    x, y, z = scene.triangles[scene.emitters][0].T
    np.testing.assert_allclose(quarter.triangles[scene.emitters][0].T, [-y, x, z], atol=1e-6)
    still = ~scene.emitters
    np.testing.assert_array_equal(quarter.triangles[still], scene.triangles[still])
    np.testing.assert_allclose(quarter.vn[scene.emitters], scene.vn[scene.emitters], atol=1e-6)
    assert np.array_equal(quarter.c2w, scene.c2w) is not camera


def test_names_and_limits() -> None:
    assert Motion(2).name == "orbit"
    assert Motion(2, camera=False, light=True).name == "light"
    assert Motion(2, light=True).name == "orbit-light"
    with pytest.raises(InputError, match="`camera_orbit` 1"):
        Motion(1)
    for arc in (0, -10, 361, float("nan")):
        with pytest.raises(InputError, match="`arc`"):
            Motion(2, arc=arc)


def test_arc_of_an_open_scene_is_360() -> None:
    assert visible_arc(wall_at()) == 360


def hidden(turn: float) -> bool:
    """In closed form: whether a wall at y = 0.5, |x| <= 0.6 hides a point 0.3 next to the axis from a camera.

    The camera is 1.8 from the axis, rotated by `turn` degrees from facing the wall.
    """
    azimuth = np.radians(turn - 90)
    eye = 1.8 * np.array([np.cos(azimuth), np.sin(azimuth)])
    for offset in (-0.3, 0, 0.3):
        target = offset * np.array([-np.sin(azimuth), np.cos(azimuth)])
        if eye[1] > 0.5 > target[1]:
            crossing = eye + (eye[1] - 0.5) / (eye[1] - target[1]) * (target - eye)
            if abs(crossing[0]) <= 0.6:
                return True
    return False


FREE = next(turn for turn in range(0, 181, 5) if hidden(turn)) - 5  # degrees to either side of one wall


@pytest.mark.parametrize("turn", [0, 40, 90, 215])
def test_a_wall_limits_the_arc_in_any_orientation(turn: float) -> None:
    assert visible_arc(wall_at(90 + turn, camera=-90 + turn)) == 2 * FREE == 230


def test_more_walls_leave_a_smaller_arc() -> None:
    assert visible_arc(wall_at(90, 0, camera=-135)) == 2 * (
        FREE - 45
    )  # the camera is between them: each is 45 degrees nearer
    assert visible_arc(wall_at(90, 0, 180, camera=-90)) == 2 * (FREE - 90)


def test_arc_of_a_camera_behind_a_wall_is_360() -> None:
    assert visible_arc(wall_at(90, camera=90)) == 360


def _path_poses(count: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    cameras = np.stack([look_at(rng.normal((0, -3, 1)), rng.normal(size=3) * 0.1) for _ in range(count)])
    scene = replace(wall_at(), c2w=cameras.astype(np.float32), fov=np.linspace(20, 60, count).astype(np.float32))
    (numbers, moved), *_ = CameraPath(frames).scenes(scene, range(frames))
    assert list(numbers) == list(range(frames))
    return scene.c2w, moved.c2w


@pytest.mark.parametrize("count", [2, 3, 5])
def test_camera_path_passes_every_camera_and_never_jumps(count: int) -> None:
    frames = 20 * (count - 1) + 1
    cameras, moved = _path_poses(count, frames)
    np.testing.assert_allclose(moved[::20], cameras, atol=1e-5)
    steps = np.linalg.norm(np.diff(moved[:, :3, 3], axis=0), axis=1)
    spans = np.linalg.norm(np.diff(cameras[:, :3, 3], axis=0), axis=1).repeat(20)
    assert (steps < 4 * spans / 20).all()
    rotations = moved[:, :3, :3].astype(np.float64)
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-5
    )


def test_camera_path_between_two_cameras_is_straight() -> None:
    cameras, moved = _path_poses(2, 9)
    line = np.linspace(0, 1, 9)[:, None]
    np.testing.assert_allclose(moved[:, :3, 3], cameras[0, :3, 3] * (1 - line) + cameras[1, :3, 3] * line, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 10_000])
def test_camera_path_of_impossible_length(frames: int) -> None:
    with pytest.raises(InputError, match="frames"):
        CameraPath(frames)
