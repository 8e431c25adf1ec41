"""A small scene with two lights for tests of the viewer."""

import numpy as np

from rfcli.scene import DIFFUSE, EMISSION, FLAT_NORMAL, NORMAL, ROUGHNESS, SPECULAR, TriangleScene
from rfcli.scene.geometry import face_normals, look_at


def square(corner: tuple[float, ...], one: tuple[float, ...], two: tuple[float, ...]) -> np.ndarray:
    """Two triangles [2, 3, 3] of a parallelogram."""
    a, u, v = (np.array(x, dtype=np.float32) for x in (corner, one, two))
    return np.stack([np.stack([a, a + u, a + u + v]), np.stack([a, a + u + v, a + v])])


def two_lamps() -> TriangleScene:
    """A floor, a smaller wall of another material, and two lamps of different radiance; two cameras."""
    parts = [
        (square((-0.5, -0.5, -0.2), (1, 0, 0), (0, 1, 0)), (0.7, 0.5, 0.3), (0.0, 0.0, 0.0)),
        (square((-0.5, 0.1, -0.2), (0.4, 0, 0), (0, 0.4, 0))[:1], (0.2, 0.6, 0.2), (0.0, 0.0, 0.0)),
        (square((-0.4, -0.2, 0.6), (0.3, 0, 0), (0, 0.3, 0)), (0.0, 0.0, 0.0), (8.0, 7.0, 5.0)),
        (square((0.2, -0.2, 0.5), (0.2, 0, 0), (0, 0.2, 0)), (0.0, 0.0, 0.0), (2.0, 4.0, 9.0)),
    ]
    triangles = np.concatenate([corners for corners, _, _ in parts])
    material = np.zeros((len(triangles), 13), dtype=np.float32)
    material[:, NORMAL], material[:, ROUGHNESS] = FLAT_NORMAL, 0.5
    start = 0
    for corners, diffuse, emission in parts:
        rows = slice(start, start + len(corners))
        material[rows, DIFFUSE], material[rows, EMISSION] = diffuse, emission
        material[rows, SPECULAR] = 0.0 if any(emission) else 0.1
        start += len(corners)
    cameras = [look_at((0.2, -1.6, 0.6), (0, 0, 0)), look_at((1.2, -1.0, 0.9), (0, 0, 0))]
    return TriangleScene(
        triangles=triangles,
        vn=np.repeat(face_normals(triangles)[:, None], 3, axis=1),
        material=material,
        c2w=np.stack(cameras).astype(np.float32),
        fov=np.array([40.0, 50.0], dtype=np.float32),
    )
