"""Small scenes from quads and spheres with known materials."""

import numpy as np
import numpy.typing as npt

from rfcli.scene import TriangleScene

Array = npt.NDArray[np.float64]
Part = tuple[Array, Array, Array]  # triangles, vertex normals, materials


def material(
    faces: int,
    diffuse: tuple[float, float, float] = (0.0, 0.0, 0.0),
    specular: float = 0.0,
    roughness: float = 1.0,
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Array:
    """[faces, 13] equal materials."""
    row = [*diffuse, specular, specular, specular, roughness, 0.5, 0.5, 1.0, *emission]
    return np.tile(np.array(row), (faces, 1))


def quad(
    centre: tuple[float, float, float],
    u: tuple[float, float, float],
    v: tuple[float, float, float],
    rows: Array,
) -> Part:
    """Parallelogram with half edges u, v and normal u x v; rows: materials of its two triangles."""
    c, a, b = np.array(centre), np.array(u), np.array(v)
    p = [c - a - b, c + a - b, c + a + b, c - a + b]
    normal = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    return np.array([[p[0], p[1], p[2]], [p[0], p[2], p[3]]]), np.tile(normal, (2, 3, 1)), rows


def ball(radius: float, faces: int, rows: Array) -> Part:
    """Smooth sphere around the origin; rows: its material."""
    from rfcli.synth.shapes.spheres import geodesic_sphere

    corners = np.asarray(geodesic_sphere(faces).triangles)
    return corners * radius, corners, np.repeat(rows[:1], len(corners), axis=0)


def camera(eye: tuple[float, float, float], target: tuple[float, float, float]) -> Array:
    """Camera to world [4, 4] from its definition; +z is up, or +y if the camera looks along z."""
    back = np.subtract(eye, target) / np.linalg.norm(np.subtract(eye, target))
    up = np.array([0.0, 1.0, 0.0]) if abs(back[2]) > 0.999 else np.array([0.0, 0.0, 1.0])
    right = np.cross(up, back) / np.linalg.norm(np.cross(up, back))
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(back, right), back, np.array(eye)], axis=1)
    return pose


def scene(parts: list[Part], cameras: list[Array], fov: float) -> TriangleScene:
    """A scene of all parts and cameras."""
    triangles, vn, rows = (np.concatenate(arrays).astype(np.float32) for arrays in zip(*parts, strict=True))
    c2w = np.stack(cameras).astype(np.float32)
    return TriangleScene(triangles, vn, rows, c2w, np.full(len(c2w), fov, np.float32))
