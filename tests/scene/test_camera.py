"""Look-at in closed form."""

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.scene.camera import look_at


def test_camera_at_the_front() -> None:
    expected = [[1, 0, 0, 0], [0, 0, -1, -2], [0, 1, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(look_at((0, -2, 0), (0, 0, 0), (0, 0, 1)), expected, atol=1e-7)


def test_any_camera_is_a_rigid_motion_that_looks_at_its_target() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        position, target, up = random.normal(size=(3, 3))
        c2w = look_at(tuple(position), tuple(target), tuple(up)).astype(float)
        np.testing.assert_allclose(c2w[:3, :3].T @ c2w[:3, :3], np.eye(3), atol=1e-6)
        assert np.linalg.det(c2w[:3, :3]) == pytest.approx(1, abs=1e-6)
        seen = np.linalg.inv(c2w) @ [*target, 1]
        np.testing.assert_allclose(seen[:3], [0, 0, -np.linalg.norm(target - position)], atol=1e-5)
        assert c2w[:3, 1] @ up > 0
        assert c2w[:3, 0] @ up == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("up", [(0, 1, 0), (0, 0, 0)])
def test_no_plane(up: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="up"):
        look_at((0, -2, 0), (0, 0, 0), up)
