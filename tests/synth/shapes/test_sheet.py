import numpy as np
import pytest

from rfcli.synth.shapes.grid import grid_mesh
from rfcli.synth.shapes.sheet import diagonals_to_centre, square_grid, square_to_disc


@pytest.mark.parametrize("faces", [8, 51, 800])
def test_the_map_from_square_to_disc_preserves_areas(faces: int) -> None:
    points = square_grid(faces)
    flat = np.concatenate([square_to_disc(points), np.zeros((*points.shape[:2], 1))], axis=-1)
    mesh = grid_mesh(flat, crossed=diagonals_to_centre(len(points) - 1))
    assert len(mesh.faces) <= faces
    assert np.linalg.norm(mesh.vertices, axis=1).max() == pytest.approx(1.0)
    if faces == 800:
        assert mesh.area == pytest.approx(np.pi, rel=0.01)
        assert mesh.area_faces.max() < 4 * mesh.area_faces.min()
        assert (mesh.face_normals[:, 2] > 0).all()
        cells = mesh.area_faces.reshape(-1, 2).sum(axis=1)  # the cells of the square have equal areas
        assert cells == pytest.approx(np.pi / len(cells), rel=0.1)
