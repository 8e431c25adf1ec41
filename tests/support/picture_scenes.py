"""A scene with walls at given angles."""

import numpy as np

from rfcli.scene import TriangleScene
from rfcli.scene.geometry import look_at


def wall_at(*azimuths: float, camera: float = -90.0) -> TriangleScene:
    """A floor, walls of 1.2 x 1.2 half a unit from the axis at these azimuths in degrees, a light above, a camera."""
    corners = [np.array([[-0.6, -0.6, -0.5], [0.6, -0.6, -0.5], [0.6, 0.6, -0.5], [-0.6, 0.6, -0.5]])]
    for azimuth in np.radians(azimuths):
        out, along = np.array([np.cos(azimuth), np.sin(azimuth), 0]), np.array([-np.sin(azimuth), np.cos(azimuth), 0])
        base = 0.5 * out
        up = np.array([0, 0, 0.6])
        corners.append(np.stack([base + s * 0.6 * along + t * up for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))]))
    quads = np.stack(corners)
    triangles = np.concatenate(
        [quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], [[[0, 0.1, 2.0], [0.1, 0, 2.0], [0, 0, 2.0]]]]
    )
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    material = np.tile([0.5, 0.5, 0.5, 0, 0, 0, 0.5, 0.5, 0.5, 1, 0, 0, 0], (len(triangles), 1))
    material[-1, 10:] = 1000
    turn = np.radians(camera)
    eye = (1.8 * np.cos(turn), 1.8 * np.sin(turn), 0.3)
    pose = look_at(eye, (0, 0, 0), (0, 0, 1))
    return TriangleScene(triangles, np.repeat(normals[:, None], 3, 1), material, pose[None], np.array([40.0]))
