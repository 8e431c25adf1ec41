import numpy as np
import pytest

from rfcli.synth.shapes.lathe import lathe


def test_volume_of_a_cylinder() -> None:
    height, radius = 1.3, 0.5
    profile = np.array([(0, 0), (radius, 0), (radius, height), (0, height)], float)
    mesh = lathe(profile, 4000)
    assert mesh.volume == pytest.approx(np.pi * radius**2 * height, rel=0.01)
