"""Decimated scenes have nearly the same surfaces, colours and lights."""

import dataclasses

import numpy as np
import pytest
import trimesh

from rfcli.scene import TriangleScene
from rfcli.scene.decimation import decimated
from rfcli.scene.geometry import face_normals, triangle_areas

RED, BLUE = (0.7, 0.1, 0.1), (0.1, 0.1, 0.7)


def rows(count: int, diffuse: tuple[float, ...], emission: float = 0.0) -> np.ndarray:
    row = [*diffuse, 0.02, 0.02, 0.02, 0.5, 0.5, 0.5, 1.0, *[emission] * 3]
    return np.tile(np.array(row, np.float32), (count, 1))


def scene_of(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> TriangleScene:
    corners, normals, material = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return TriangleScene(corners, normals, material, np.eye(4)[None], np.array([40.0]))


def flat_normals(corners: np.ndarray) -> np.ndarray:
    return np.repeat(face_normals(corners)[:, None], 3, 1)


def ball() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """1,280 faces of radius 0.3, smooth; red below, blue above."""
    mesh = trimesh.creation.icosphere(3, 0.3)
    corners = np.asarray(mesh.triangles)
    material = rows(len(corners), RED)
    material[corners.mean(1)[:, 2] > 0] = rows(1, BLUE)
    return corners, corners / np.linalg.norm(corners, axis=2, keepdims=True), material


def wall() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """200 triangles of a square of side 1 below the ball, flat."""
    steps = np.linspace(-0.5, 0.5, 11)
    x, y = (axis.ravel() for axis in np.meshgrid(steps[:-1], steps[:-1], indexing="ij"))
    a, b, c, d = (np.stack([x + i * 0.1, y + j * 0.1, 0 * x - 0.5], 1) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)))
    corners = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return corners, flat_normals(corners), rows(len(corners), (0.5, 0.5, 0.5))


def light() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    corners = np.array([[[0, 0, 2.0], [0, 0.2, 2.0], [0.2, 0, 2.0]]])
    return corners, flat_normals(corners), rows(1, (1, 1, 1), 3000.0)


SCENE = scene_of([ball(), wall(), light()])


@pytest.mark.parametrize("count", [1400, 1000, 500, 200])
def test_surfaces_colours_and_lights_are_kept(count: int) -> None:
    fewer = decimated(SCENE, count)
    assert 0.8 * count < len(fewer) <= count
    assert np.array_equal(fewer.triangles[fewer.emitters], SCENE.triangles[SCENE.emitters])
    grey = (fewer.material[:, 0] == 0.5) & ~fewer.emitters
    corners = fewer.triangles.astype(np.float64)
    assert triangle_areas(corners[grey]).sum() == pytest.approx(1.0, rel=1e-3)
    assert np.allclose(fewer.vn[grey], (0, 0, 1), atol=1e-5)
    assert np.allclose(corners[grey][..., 2], -0.5, atol=1e-5)
    round_part = ~grey & ~fewer.emitters
    radii = np.linalg.norm(corners[round_part], axis=2)
    assert radii == pytest.approx(0.3, rel=0.06)
    outward = corners[round_part] / radii[..., None]
    if count >= 500:  # with fewer, neighbours meet at more than the crease of 30 degrees
        assert (fewer.vn[round_part] * outward).sum(-1).min() > 0.95
    blue = corners[round_part].mean(1)[:, 2] > 0.03
    assert (fewer.material[round_part][blue][:, 2] == np.float32(0.7)).mean() > 0.9
    if count >= 500:  # each part keeps its share, unless the wall is reduced to its border
        assert grey.sum() / len(fewer) == pytest.approx(200 / len(SCENE), abs=0.06)


def test_small_scene_is_unchanged() -> None:
    assert decimated(SCENE, len(SCENE)) is SCENE
    assert decimated(SCENE, 10 * len(SCENE)) is SCENE


def test_normals_opposite_to_the_winding_stay_so() -> None:
    corners, normals, material = ball()
    fewer = decimated(scene_of([(corners, -normals, material), light()]), 500)
    dark = ~fewer.emitters
    centre = fewer.triangles[dark].mean(1)
    assert (fewer.vn[dark].mean(1) * centre).sum(-1).max() < 0


def test_unconnected_triangles_are_not_decimated() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(-0.4, 0.4, (300, 1, 3)) + rng.uniform(-0.05, 0.05, (300, 3, 3))
    loose = scene_of([(corners, flat_normals(corners), rows(300, RED)), light()])
    assert len(decimated(loose, 100)) == 301
    lights = dataclasses.replace(loose, material=rows(301, RED, 10.0))
    assert decimated(lights, 100) is lights
