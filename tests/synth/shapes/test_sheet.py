import numpy as np
import pytest

from rfcli.synth.shapes.grid import grid_mesh
from rfcli.synth.shapes.sheet import disc, off_centre, square


@pytest.mark.parametrize("faces", [8, 51, 800])
def test_the_disc_is_the_square_with_areas_kept(faces: int) -> None:
    points = square(faces)
    flat = np.concatenate([disc(points), np.zeros((*points.shape[:2], 1))], axis=-1)
    mesh = grid_mesh(flat, crossed=off_centre(len(points) - 1))
    assert len(mesh.faces) <= faces
    assert np.linalg.norm(mesh.vertices, axis=1).max() == pytest.approx(1.0)
    if faces == 800:
        assert mesh.area == pytest.approx(np.pi, rel=0.01)
        assert mesh.area_faces.max() < 4 * mesh.area_faces.min()
        assert (mesh.face_normals[:, 2] > 0).all()
        cells = mesh.area_faces.reshape(-1, 2).sum(axis=1)  # the cells of the square are all of one size
        assert cells == pytest.approx(np.pi / len(cells), rel=0.1)
