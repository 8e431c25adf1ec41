"""Cameras of windows: which part of which square image a window shows."""

import math

import numpy as np
import pytest

from rfcli.scene.geometry import look_at
from rfcli.viewer.cameras import WindowCamera, default_camera, orbit_pose, rotation_of, window_fov

POSE = look_at((1.0, -2.0, 0.7), (0.1, 0.0, 0.2))


def quaternion(rotation: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    return np.array([w, x, y, z])


def window(width: int, height: int, fov: float = 40.0) -> WindowCamera:
    seen_by_viser = POSE[:3, :3] @ np.diag([1, -1, -1])
    return WindowCamera.of_viser(quaternion(seen_by_viser), POSE[:3, 3], math.radians(fov), width, height)


def test_pose_of_a_window_is_that_of_the_scene() -> None:
    np.testing.assert_allclose(window(100, 100).matrix, POSE, atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(100, 100), (160, 90), (90, 160), (390, 844), (3000, 1000), (1000, 777)])
@pytest.mark.parametrize("side", [64, 256])
def test_a_window_shows_directions_without_distortion(width: int, height: int, side: int) -> None:
    """The directions through the pixels of the cropped image are those through the window, within half a pixel."""
    camera = window(width, height)
    half = math.tan(math.radians(camera.square_fov) / 2)
    line = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(line * half, line * half)
    shown = camera.crop(np.stack([x, y], -1))
    rows, columns = shown.shape[:2]
    tangent = math.tan(math.radians(40.0) / 2)
    wanted_x = ((np.arange(columns) + 0.5) / columns * 2 - 1) * tangent * width / height
    wanted_y = ((np.arange(rows) + 0.5) / rows * 2 - 1) * tangent
    pixel = 2 * half / side
    assert np.abs(shown[0, :, 0] - wanted_x).max() <= pixel / 2 + 1e-9
    assert np.abs(shown[:, 0, 1] - wanted_y).max() <= pixel / 2 + 1e-9


@pytest.mark.parametrize("aspect", [0.4, 1.0, 2.5])
def test_a_window_shows_all_of_a_scene_camera(aspect: float) -> None:
    fov = window_fov(35.0, aspect)
    across = math.tan(math.radians(fov) / 2) * aspect
    assert min(math.tan(math.radians(fov) / 2), across) == pytest.approx(math.tan(math.radians(35.0) / 2))


@pytest.mark.parametrize("position", [(1.0, -2.0, 0.7), (0.0, 0.0, 3.0), (0.0, -0.01, -2.0)])
def test_orbit_pose_gives_the_camera_back(position: tuple[float, float, float]) -> None:
    c2w = look_at(position, (0.05, 0.02, 0.1), (0, 1, 0) if position[2] == 3.0 else (0, 0, 1)).astype(np.float32)
    pose = orbit_pose(c2w, (0.0, 0.0, 0.0))
    np.testing.assert_allclose(look_at(pose.position, pose.target, pose.up), c2w, atol=1e-5)


def test_rolled_camera_keeps_its_roll() -> None:
    c2w = look_at((2.0, 0.0, 0.0), (0, 0, 0), (0.0, 1.0, 1.0)).astype(np.float32)
    pose = orbit_pose(c2w, (0.0, 0.0, 0.0))
    np.testing.assert_allclose(look_at(pose.position, pose.target, pose.up), c2w, atol=1e-6)


def test_rotation_of_a_quaternion() -> None:
    rotation = rotation_of(2 * quaternion(POSE[:3, :3]))
    np.testing.assert_allclose(rotation, POSE[:3, :3], atol=1e-12)


def test_default_camera_sees_every_corner() -> None:
    corners = np.random.default_rng(0).uniform(-3, 5, (40, 3, 3)).astype(np.float32)
    c2w, fov = default_camera(corners)
    local = (corners.reshape(-1, 3) - c2w[:3, 3]) @ c2w[:3, :3]
    assert (local[:, 2] < 0).all()
    assert (np.abs(local[:, :2] / local[:, 2:]) <= math.tan(math.radians(fov) / 2)).all()
