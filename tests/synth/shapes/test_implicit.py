import numpy as np
import pytest

from rfcli.synth.shapes.implicit import capsule_distance, ellipsoid_distance, level_set, smooth_union


def test_volume_of_a_sphere() -> None:
    mesh = level_set(lambda p: 1 - np.linalg.norm(p, axis=-1), -np.ones(3), np.ones(3), 3000)
    assert mesh.is_watertight
    assert abs(mesh.volume) == pytest.approx(4 / 3 * np.pi * (40 / 2) ** 3 / 20**3, rel=0.02)


def test_small_loose_parts_are_removed() -> None:
    def inside(p: np.ndarray) -> np.ndarray:
        far = np.linalg.norm(p - (0.9, 0.9, 0.9), axis=-1)
        return np.maximum(0.7 - np.linalg.norm(p, axis=-1), 0.05 - far)

    mesh = level_set(inside, -np.ones(3), np.ones(3), 800)
    assert mesh.body_count == 1
    assert mesh.extents == pytest.approx(1.4, rel=0.05)


def test_distances_of_rods_and_ellipsoids() -> None:
    points = np.array([(0.0, 0.3, 0.5), (0.0, 0.0, 1.4), (0.0, 0.0, -0.6)])
    rod = capsule_distance(points, np.zeros(3), np.array([0.0, 0.0, 1.0]), 0.2, 0.1)
    assert rod == pytest.approx([0.3 - 0.15, 0.4 - 0.1, 0.6 - 0.2])
    surface = np.array([(2.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.5)])
    assert ellipsoid_distance(surface, np.zeros(3), np.array([2.0, 1.0, 0.5])) == pytest.approx(0.0, abs=1e-12)


def test_the_smooth_union_equals_the_union_far_from_the_seam() -> None:
    a, b = np.array([0.3, 0.0]), np.array([5.0, 0.0])
    assert smooth_union([a, b], 0.1) == pytest.approx([0.3, -0.1 * np.log(2)])
