import numpy as np
import pytest

from rfcli.synth.shapes.lathe import lathe


def test_a_cylinder_has_a_cylinders_volume() -> None:
    height, radius = 1.3, 0.5
    profile = np.array([(0, 0), (radius, 0), (radius, height), (0, height)], float)
    mesh = lathe(profile, 4000)
    assert mesh.volume == pytest.approx(np.pi * radius**2 * height, rel=0.01)
