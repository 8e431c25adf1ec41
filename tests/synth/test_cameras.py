import numpy as np
import pytest

from rfcli.synth.cameras import look_at, sees
from rfcli.synth.shapes.grid import grid_mesh, rectangle


def test_a_camera_is_a_rotation_that_looks_down_minus_z_with_up_up() -> None:
    eye, target = np.array([0.4, -1.5, 0.7]), np.array([0.1, 0.0, -0.2])
    pose = look_at(eye, target)
    rotation = pose[:3, :3]
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert -pose[:3, 2] == pytest.approx((target - eye) / np.linalg.norm(target - eye))
    assert pose[2, 0] == pytest.approx(0.0)
    assert pose[2, 1] > 0
    assert pose[:3, 3] == pytest.approx(eye)


def test_a_wall_is_seen_from_its_front_only_and_not_from_too_near() -> None:
    wall = np.asarray(grid_mesh(rectangle(2, 2, 4, 4)).triangles)  # faces +z
    straight_down, one_sided = np.eye(4), np.zeros(len(wall), bool)
    for height, seen in ((1.5, True), (0.2, False)):
        straight_down[2, 3] = height
        assert sees(straight_down, 40.0, wall, one_sided) == seen
    from_behind = np.diag([-1.0, 1.0, -1.0, 1.0])
    from_behind[2, 3] = -1.5
    assert not sees(from_behind, 40.0, wall, one_sided)
    assert sees(from_behind, 40.0, wall, ~one_sided)  # a sheet has no wrong side
    assert not sees(from_behind @ np.diag([1.0, -1.0, -1.0, 1.0]), 40.0, wall, one_sided)  # looks away
