import numpy as np
import pytest

from rfcli.synth.shapes.sweep import ROUND, swept


def test_a_straight_sweep_is_a_cone() -> None:
    t = np.linspace(0, 1, 50)
    curve = np.stack([0 * t, 0 * t, 2 * t], axis=1)
    mesh = swept(curve, 0.5 - 0.3 * t, ROUND, 4000)
    expected = np.pi * 2 / 3 * (0.5**2 + 0.5 * 0.2 + 0.2**2)
    assert mesh.is_watertight
    assert abs(mesh.volume) == pytest.approx(expected, rel=0.01)


def test_a_bent_sweep_has_the_volume_pappus_says() -> None:
    angle = np.linspace(0, 1.5 * np.pi, 200)
    curve = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    mesh = swept(curve, np.full(200, 0.2), ROUND, 6000, twist=angle)
    assert abs(mesh.volume) == pytest.approx(np.pi * 0.2**2 * 1.5 * np.pi, rel=0.015)
