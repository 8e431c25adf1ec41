import numpy as np
import pytest
import trimesh

from rfcli.scene.mesh_decimation import (
    collapse_short_edges,
    decimate,
    flip_degenerate_triangles,
    relative_heights,
    separate_shared_edges,
    without_double_faces,
)


def test_decimation_keeps_the_shape() -> None:
    fine = trimesh.creation.icosphere(4)
    coarse = decimate(fine, 300)
    assert len(coarse.faces) <= 300
    assert coarse.volume == pytest.approx(fine.volume, rel=0.04)


def test_decimation_does_not_depend_on_the_last_bit_of_the_vertices() -> None:
    fine = trimesh.creation.torus(1.0, 0.4, major_sections=48, minor_sections=24)
    perturbed = fine.copy()
    perturbed.vertices = np.nextafter(fine.vertices, np.random.default_rng(0).choice([-9.0, 9.0], fine.vertices.shape))
    assert (fine.vertices != perturbed.vertices).any()
    first, second = decimate(fine, 200), decimate(perturbed, 200)
    assert (first.faces == second.faces).all()
    assert (first.vertices == second.vertices).all()


def test_double_faces_are_removed() -> None:
    faces = np.array([(0, 1, 2), (2, 1, 0), (0, 3, 1), (1, 3, 4)])
    assert without_double_faces(faces).tolist() == [[0, 3, 1], [1, 3, 4]]


def test_boxes_that_share_an_edge_are_separated() -> None:
    one, other = trimesh.creation.box(), trimesh.creation.box()
    other.apply_translation([1.0, 1.0, 0.0])  # they touch along one edge
    both = trimesh.util.concatenate([one, other])
    both.merge_vertices()
    assert not both.is_watertight
    apart = separate_shared_edges(both)
    assert apart.is_watertight
    assert apart.volume == pytest.approx(2.0)
    assert len(apart.faces) == 24


def test_short_edges_collapse_and_the_solid_stays_closed() -> None:
    mesh = trimesh.creation.icosphere(2)
    a, b = mesh.edges_unique[7]
    mesh.vertices[b] = mesh.vertices[a] + 1e-9
    before, volume = len(mesh.faces), mesh.volume
    collapse_short_edges(mesh)
    assert len(mesh.faces) == before - 2
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(volume)


def test_a_triangle_without_area_is_flipped_into_one_with_an_area() -> None:
    points = np.array([(0, 0, 0), (1, 0, 0), (0.5, 0, 0), (0.5, -1, 0)], float)
    mesh = trimesh.Trimesh(points, [(0, 1, 2), (1, 0, 3)], process=False)
    assert relative_heights(mesh).min() == 0
    flip_degenerate_triangles(mesh)
    assert relative_heights(mesh) == pytest.approx(2 * 0.25 / 1.25)
    assert mesh.area == pytest.approx(0.5)
    assert (mesh.face_normals == (0, 0, 1)).all()
