import numpy as np
import pytest

from rfcli.synth.shapes.polyline import path_length, random_curve, resample, transported_normals


def test_resampling_is_even_and_keeps_corners() -> None:
    corner = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 2.0)])
    points = resample(corner, 7)
    assert path_length(points) == pytest.approx(3.0)
    assert np.linalg.norm(np.diff(points, axis=0), axis=1) == pytest.approx(0.5)
    assert (resample(corner, 5) == (1.0, 0.0)).all(axis=1).any()


def test_transported_normals_are_perpendicular_and_do_not_twist() -> None:
    curve = random_curve(np.random.default_rng(3), 200, bend=1.0)
    assert path_length(curve) == pytest.approx(1.0)
    tangent = np.gradient(curve, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = transported_normals(tangent)
    assert np.einsum("ij,ij->i", normal, tangent) == pytest.approx(0.0, abs=1e-9)
    step = np.arccos(np.clip(np.einsum("ij,ij->i", normal[1:], normal[:-1]), -1, 1))
    bend = np.arccos(np.clip(np.einsum("ij,ij->i", tangent[1:], tangent[:-1]), -1, 1))
    assert (step <= bend + 1e-6).all()  # no more rotation than the curve has
