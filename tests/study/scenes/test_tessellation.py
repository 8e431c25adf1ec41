"""Tessellated scenes have the same area, light and shading normals."""

import dataclasses

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.scene.geometry import triangle_areas
from rfcli.study.scenes.tessellation import tessellated


def scene(emits: bool = False) -> TriangleScene:
    """A large triangle, a small one, and a light."""
    corners = np.array(
        [
            [[0, 0, 0], [0.4, 0, 0], [0, 0.3, 0]],
            [[0, 0, 0.1], [0.1, 0, 0.1], [0, 0.1, 0.2]],
            [[0, 0, 1], [2, 0, 1], [0, 2, 1]],
        ]
    )
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    material = np.tile(np.linspace(0.1, 0.7, 13), (3, 1)) * np.array([[1.0], [0.5], [0.25]])
    material[:, 10:] = 0
    material[2, 10:] = 100.0
    if emits:
        material[:, 10:] = 100.0
    return TriangleScene(corners, np.repeat(normal[:, None], 3, 1), material, np.eye(4)[None], np.array([40.0]))


@pytest.mark.parametrize("count", [3, 4, 5, 17, 100, 1000])
def test_count_is_exact_and_each_material_keeps_its_area_and_plane(count: int) -> None:
    whole, fine = scene(), tessellated(scene(), count)
    assert len(fine) == count
    for row, corners, normal in zip(whole.material, whole.triangles, whole.vn[:, 0], strict=True):
        mine = (fine.material == row).all(1)
        assert triangle_areas(fine.triangles[mine].astype(np.float64)).sum() == pytest.approx(
            triangle_areas(corners[None].astype(np.float64))[0], rel=1e-5
        )
        assert np.abs((fine.triangles[mine] - corners[0]) @ normal).max() < 1e-6
        face = np.cross(*(fine.triangles[mine][:, i] - fine.triangles[mine][:, 0] for i in (1, 2)))
        assert (face @ normal > 0).all()  # wound like the whole
        assert np.allclose(fine.vn[mine], normal, atol=1e-6)


@pytest.mark.parametrize("count", [100, 1000])
def test_triangles_become_similar_in_size_and_emitters_stay_whole(count: int) -> None:
    fine = tessellated(scene(), count)
    size = triangle_areas(fine.triangles.astype(np.float64))[~fine.emitters]
    assert size.max() <= 4 * size.min() * 1.001
    assert fine.emitters.sum() == 1


def test_new_vertices_have_the_normalised_mean_of_the_edge_normals() -> None:
    smooth = scene()
    vn = smooth.vn.copy()
    tilted = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1]]) / np.sqrt([[2], [2], [1]])
    vn[0] = tilted
    fine = tessellated(dataclasses.replace(smooth, vn=vn), 4)
    assert np.allclose(np.linalg.norm(fine.vn, axis=-1), 1, atol=1e-6)
    middle = (smooth.triangles[0, 1] + smooth.triangles[0, 2]) / 2  # of the hypotenuse
    where = np.argwhere(np.abs(fine.triangles - middle).max(-1) < 1e-6)
    assert len(where) == 2  # a corner of both halves
    mean = tilted[1] + tilted[2]
    for triangle, corner in where:
        assert np.allclose(fine.vn[triangle, corner], mean / np.linalg.norm(mean), atol=1e-6)


def test_mean_of_opposite_normals_has_unit_length() -> None:
    odd = scene()
    vn = odd.vn.copy()
    vn[0, 1], vn[0, 2] = (0, 0, 1), (0, 0, -1)
    fine = tessellated(dataclasses.replace(odd, vn=vn), 4)
    assert np.allclose(np.linalg.norm(fine.vn, axis=-1), 1, atol=1e-6)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(InputError, match="3 triangles, more than the 2"):
        tessellated(scene(), 2)
    with pytest.raises(InputError, match="emitters only"):
        tessellated(scene(emits=True), 4)
