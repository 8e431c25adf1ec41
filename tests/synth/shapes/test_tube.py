import numpy as np
import pytest

from rfcli.synth.shapes.tube import tube


def test_a_torus_has_the_volume_pappus_says() -> None:
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    mesh = tube(np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1), 0.3, 6000)
    assert abs(mesh.volume) == pytest.approx(np.pi * 0.3**2 * 2 * np.pi, rel=0.01)
