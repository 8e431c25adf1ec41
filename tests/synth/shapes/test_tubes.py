import numpy as np
import pytest

from rfcli.synth.shapes.tubes import CIRCLE, closed_tube, swept


def test_volume_of_a_straight_sweep_is_that_of_a_frustum() -> None:
    t = np.linspace(0, 1, 50)
    curve = np.stack([0 * t, 0 * t, 2 * t], axis=1)
    mesh = swept(curve, 0.5 - 0.3 * t, CIRCLE, 4000)
    expected = np.pi * 2 / 3 * (0.5**2 + 0.5 * 0.2 + 0.2**2)
    assert mesh.is_watertight
    assert abs(mesh.volume) == pytest.approx(expected, rel=0.01)


def test_volume_of_a_bent_sweep_matches_the_theorem_of_pappus() -> None:
    angle = np.linspace(0, 1.5 * np.pi, 200)
    curve = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    mesh = swept(curve, np.full(200, 0.2), CIRCLE, 6000, twist=angle)
    assert abs(mesh.volume) == pytest.approx(np.pi * 0.2**2 * 1.5 * np.pi, rel=0.015)


@pytest.mark.parametrize("multiple", [1, 10])
def test_a_sweep_has_at_most_as_many_columns_as_its_outline_has_edges(multiple: int) -> None:
    t = np.linspace(0, 1, 50)
    mesh = swept(np.stack([0 * t, 0 * t, 2 * t], axis=1), np.full(50, 0.5), CIRCLE, 40_000, multiple=multiple)
    sides = 47 // multiple * multiple
    assert 36_000 < len(mesh.faces) <= 40_000
    assert mesh.is_watertight
    assert np.bincount(mesh.faces.ravel()).max() == sides  # the central vertex of an end


def test_volume_of_a_torus_matches_the_theorem_of_pappus() -> None:
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    mesh = closed_tube(np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1), 0.3, 6000)
    assert abs(mesh.volume) == pytest.approx(np.pi * 0.3**2 * 2 * np.pi, rel=0.01)
