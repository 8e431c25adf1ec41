import numpy as np
import pytest

from rfcli.synth.pieces import corner_normals
from rfcli.synth.shapes.boxes import boxes
from rfcli.synth.shapes.spheres import geodesic_sphere


def test_smooth_normals_of_a_sphere_point_outwards() -> None:
    mesh = geodesic_sphere(980)
    assert corner_normals(mesh, smooth=True) == pytest.approx(np.asarray(mesh.triangles), abs=0.02)


def test_flat_normals_are_those_of_the_faces() -> None:
    mesh = geodesic_sphere(80)
    normals = corner_normals(mesh, smooth=False)
    for face, corners in zip(mesh.triangles, normals, strict=True):
        expected = np.cross(face[1] - face[0], face[2] - face[0])
        assert corners == pytest.approx(np.tile(expected / np.linalg.norm(expected), (3, 1)))


def test_a_smooth_box_keeps_its_edges() -> None:
    mesh = boxes([((0.0, 0.0, 0.0), (1.0, 2.0, 0.5))], 300)
    assert corner_normals(mesh, smooth=True) == pytest.approx(corner_normals(mesh, smooth=False), abs=1e-9)
