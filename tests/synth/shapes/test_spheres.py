import numpy as np
import pytest

from rfcli.synth.shapes.spheres import geodesic_sphere, superformula


@pytest.mark.parametrize(("budget", "faces"), [(20, 20), (79, 20), (80, 80), (1000, 980)])
def test_a_geodesic_sphere_has_20_n_squared_faces_of_nearly_one_size(budget: int, faces: int) -> None:
    mesh = geodesic_sphere(budget)
    assert len(mesh.faces) == faces
    assert len(mesh.vertices) == faces // 2 + 2  # Euler's formula for a closed surface of triangles
    assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(1.0)
    assert mesh.area_faces.max() < 1.7 * mesh.area_faces.min()


def test_superformula_of_a_circle_and_a_square() -> None:
    angle = np.linspace(-np.pi, np.pi, 101)
    assert superformula(angle, 4, 2, 2, 2) == pytest.approx(1.0)  # cos^2 + sin^2
    square = superformula(angle, 4, 1, 1, 1)  # |x| + |y| = 1
    assert np.abs(square * np.cos(angle)) + np.abs(square * np.sin(angle)) == pytest.approx(1.0)
