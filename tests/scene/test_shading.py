"""Shading normals against closed forms, smoothing groups against trimesh's own."""

import numpy as np
import pytest
import trimesh

from rfcli.scene.shading import flat, shading_groups, smooth


def corner_normals(mesh: trimesh.Trimesh) -> np.ndarray:
    return mesh.vertex_normals[mesh.faces]


def bumpy(seed: int) -> trimesh.Trimesh:
    """A sphere with noise: some edges above the crease, some below."""
    sphere = trimesh.creation.icosphere(subdivisions=3)
    noise = 1 + 0.06 * np.random.default_rng(seed).normal(size=(len(sphere.vertices), 1))
    return trimesh.Trimesh(sphere.vertices * noise, sphere.faces, process=False)


def test_flat_normals_are_face_normals_in_face_order() -> None:
    mesh = bumpy(0)
    shaded = flat(mesh)
    np.testing.assert_array_equal(shaded.triangles, mesh.triangles)
    expected = np.repeat(mesh.face_normals[:, None], 3, axis=1)
    np.testing.assert_allclose(corner_normals(shaded), expected, atol=1e-12)


def test_smooth_cube_keeps_its_edges() -> None:
    mesh = trimesh.creation.box()
    shaded = smooth(mesh)
    np.testing.assert_allclose(corner_normals(shaded), np.repeat(shaded.face_normals[:, None], 3, axis=1), atol=1e-12)


def test_smooth_sphere_has_radial_normals() -> None:
    shaded = smooth(trimesh.creation.icosphere(subdivisions=4))
    radial = shaded.triangles / np.linalg.norm(shaded.triangles, axis=2, keepdims=True)
    np.testing.assert_allclose(corner_normals(shaded), radial, atol=3e-3)


def test_smooth_cylinder_is_round_at_the_side_and_flat_at_the_caps() -> None:
    mesh = trimesh.creation.cylinder(radius=1, height=2, sections=64)
    shaded = smooth(mesh)
    normals = corner_normals(shaded)
    cap = np.abs(shaded.face_normals[:, 2]) > 0.5
    np.testing.assert_allclose(np.abs(normals[cap][..., 2]), 1, atol=1e-9)
    side = shaded.triangles[~cap] * [1, 1, 0]
    np.testing.assert_allclose(normals[~cap], side, atol=0.05)  # 64 sides: half a step is 0.049 rad
    assert np.ptp(normals[~cap], axis=1).max() > 0.05  # not flat


def test_tetrahedron_is_smoothed_as_in_the_official_converter() -> None:
    points = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=float)
    mesh = trimesh.Trimesh(points, [[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], process=False)
    shaded = smooth(mesh)
    np.testing.assert_allclose(corner_normals(shaded), shaded.triangles / np.sqrt(3), atol=1e-9)


def test_single_triangle_stays_flat() -> None:
    mesh = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False)
    np.testing.assert_array_equal(corner_normals(smooth(mesh)), np.broadcast_to([0.0, 0, 1], (1, 3, 3)))


@pytest.mark.parametrize("seed", range(4))
def test_groups_and_normals_match_trimesh_in_a_stable_order(seed: int) -> None:
    mesh = bumpy(seed)
    ours, reference = smooth(mesh), trimesh.graph.smooth_shade(mesh, angle=np.radians(30))
    assert 1 < shading_groups(ours).max() + 1 < len(mesh.faces)
    order, reference_order = (np.lexsort(m.triangles.reshape(-1, 9).T) for m in (ours, reference))
    np.testing.assert_allclose(ours.triangles[order], reference.triangles[reference_order], atol=1e-12)
    np.testing.assert_allclose(corner_normals(ours)[order], corner_normals(reference)[reference_order], atol=1e-9)
    where = {tuple(t): i for i, t in enumerate(mesh.triangles.reshape(-1, 9))}
    source = np.array([where[tuple(t)] for t in ours.triangles.reshape(-1, 9)])
    group = shading_groups(ours)
    assert all((np.diff(source[group == g]) > 0).all() for g in range(group.max() + 1))


def test_groups_are_numbered_in_the_order_of_their_first_faces() -> None:
    apart = [trimesh.creation.icosphere(subdivisions=0).apply_translation([5 * i, 0, 0]) for i in range(3)]
    mesh = trimesh.util.concatenate(apart)
    np.testing.assert_array_equal(shading_groups(mesh), np.repeat([0, 1, 2], 20))
    shuffled = mesh.submesh([[45, 2, 46, 30, 3]], append=True)
    np.testing.assert_array_equal(np.unique(shading_groups(shuffled), return_index=True)[1][0], 0)
