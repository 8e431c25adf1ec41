"""A scene in finer triangles: the same surfaces and the same light, of which a path tracer sees no difference."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.scene.geometry import triangle_areas

Floats = npt.NDArray[np.float64]


def tessellated(scene: TriangleScene, triangles: int) -> TriangleScene:
    """The scene with exactly `triangles` triangles: the largest are halved across their longest edge, again and again.

    Halves stay in the plane of the whole, with its material; the normal at the new corner is the mean of its
    neighbours', as interpolation has it. Emitters stay whole: a network knows lights of the size it was trained with.
    Raises InputError where the scene has more triangles already, or nothing but emitters.
    """
    if triangles < len(scene):
        raise InputError(f"The scene has {len(scene):,} triangles, more than the {triangles:,} that are asked for.")
    if triangles > len(scene) and bool(scene.emitters.all()):
        raise InputError("The scene has emitters only, which are not tessellated; add a surface.")
    corners, normals = scene.triangles.astype(np.float64), scene.vn.astype(np.float64)
    material, fixed = scene.material, scene.emitters
    while len(corners) < triangles:
        size = np.where(fixed, -1.0, triangle_areas(corners))
        largest = np.argsort(-size, kind="stable")[: triangles - len(corners)]
        largest = largest[size[largest] >= size.max() / 2]  # halves of these are not larger than those left alone
        rest = np.setdiff1d(np.arange(len(corners)), largest)
        halves, half_normals = halved(corners[largest], normals[largest])
        corners, normals = np.concatenate([corners[rest], halves]), np.concatenate([normals[rest], half_normals])
        order = np.concatenate([rest, np.repeat(largest, 2)])
        material, fixed = material[order], fixed[order]
    return replace(
        scene, triangles=corners.astype(np.float32), vn=normals.astype(np.float32), material=np.asarray(material)
    )


def halved(corners: Floats, normals: Floats) -> tuple[Floats, Floats]:
    """Both halves of each triangle [N, 3, 3], next to each other [2 N, 3, 3], wound as the whole, and their normals."""
    edges = np.roll(corners, -1, axis=1) - corners  # edge i runs from corner i to corner i + 1
    longest = np.linalg.norm(edges, axis=2).argmax(axis=1)
    turn = (np.arange(3) + longest[:, None]) % 3  # the longest edge first
    out = []
    for values, unit in ((corners, False), (normals, True)):
        a, b, c = (np.take_along_axis(values, turn[:, i, None, None], axis=1)[:, 0] for i in range(3))
        middle = (a + b) / 2
        if unit:
            length = np.linalg.norm(middle, axis=1, keepdims=True)
            middle = np.where(length > 1e-6, middle / np.maximum(length, 1e-6), a)  # opposite normals have no mean
        out.append(np.stack([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)], 1).reshape(-1, 3, 3))
    return out[0], out[1]
