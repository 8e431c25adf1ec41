import numpy as np
import pytest

from rfcli.synth.shapes.tree import direction_at_angle, tree


def test_branches_are_near_one_another() -> None:
    mesh = tree(np.random.default_rng(4), 900)
    parts = sorted(mesh.split(), key=lambda part: -part.volume)
    assert len(parts) > 4
    for part in parts[1:]:
        others = np.concatenate([other.vertices for other in parts if other is not part])
        gap = np.linalg.norm(part.vertices[:, None] - others[None], axis=-1).min()
        assert gap < 0.15


def test_a_direction_at_an_angle_from_another() -> None:
    axis = np.array([1.0, -2.0, 0.5])
    for azimuth in (0.0, 1.0, 4.0):
        away = direction_at_angle(axis, 0.7, azimuth)
        assert np.linalg.norm(away) == pytest.approx(1.0)
        assert away @ axis / np.linalg.norm(axis) == pytest.approx(np.cos(0.7))
