"""A scene in more triangles: the same surfaces and the same light, so that path tracing gives the same image."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.scene.geometry import triangle_areas

Floats = npt.NDArray[np.float64]

MIN_NORMAL_LENGTH = 1e-6  # of the mean of two unit normals: below, they are opposite and have no mean direction


def tessellated(scene: TriangleScene, triangles: int) -> TriangleScene:
    """Halve the largest triangles across their longest edge until there are enough.

    Both halves stay in the plane of the triangle and keep its material. The normal at the new vertex is the mean of
    those at the ends of the edge, as interpolation gives it. Emitters are not halved: the network was trained with
    emitters of a certain size.

    Args:
        scene: Any scene.
        triangles: Triangle count of the result.

    Returns:
        The scene with exactly that many triangles.

    Raises:
        InputError: The scene has more triangles already, or has only emitters.
    """
    if triangles < len(scene):
        raise InputError(f"The scene has {len(scene):,} triangles, more than the {triangles:,} requested.")
    if triangles > len(scene) and bool(scene.emitters.all()):
        raise InputError("The scene has emitters only, which are not tessellated; add a surface.")
    corners, normals = scene.triangles.astype(np.float64), scene.vn.astype(np.float64)
    material, fixed = scene.material, scene.emitters
    while len(corners) < triangles:
        size = np.where(fixed, -1.0, triangle_areas(corners))
        largest = np.argsort(-size, kind="stable")[: triangles - len(corners)]
        largest = largest[size[largest] >= size.max() / 2]  # their halves are not larger than the remaining triangles
        rest = np.setdiff1d(np.arange(len(corners)), largest)
        halves, half_normals = halved(corners[largest], normals[largest])
        corners, normals = np.concatenate([corners[rest], halves]), np.concatenate([normals[rest], half_normals])
        order = np.concatenate([rest, np.repeat(largest, 2)])
        material, fixed = material[order], fixed[order]
    return replace(
        scene, triangles=corners.astype(np.float32), vn=normals.astype(np.float32), material=np.asarray(material)
    )


def halved(corners: Floats, normals: Floats) -> tuple[Floats, Floats]:
    """Triangles [N, 3, 3] -> their halves, adjacent in [2 N, 3, 3] and wound like the whole, and their normals."""
    edges = np.roll(corners, -1, axis=1) - corners  # edge i is from corner i to corner i + 1
    longest = np.linalg.norm(edges, axis=2).argmax(axis=1)
    turn = (np.arange(3) + longest[:, None]) % 3  # the longest edge first
    out = []
    for values, is_normal in ((corners, False), (normals, True)):
        a, b, c = (np.take_along_axis(values, turn[:, i, None, None], axis=1)[:, 0] for i in range(3))
        middle = (a + b) / 2
        if is_normal:
            length = np.linalg.norm(middle, axis=1, keepdims=True)
            unit = middle / np.maximum(length, MIN_NORMAL_LENGTH)
            middle = np.where(length > MIN_NORMAL_LENGTH, unit, a)
        out.append(np.stack([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)], 1).reshape(-1, 3, 3))
    return out[0], out[1]
