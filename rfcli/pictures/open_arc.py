"""How far a camera can go round a scene before a wall hides it."""

import numpy as np

from rfcli.pictures.motion import about_vertical
from rfcli.scene import TriangleScene
from rfcli.scene.geometry import first_hits

INNER = 0.48  # objects stay nearer to the vertical axis than this, walls of the published templates stand at 0.5
SIDE = 0.3  # half the width around the axis that has to stay in sight
STEP = 5  # degrees between the places that are tried


def open_arc(scene: TriangleScene) -> float:
    """Degrees, centred on the first camera, within which no wall stands between camera and the scene's middle.

    360 where nothing hides it from anywhere, and where the camera itself looks through a wall.
    """
    away = np.linalg.norm(scene.triangles[..., :2], axis=-1).max(axis=-1) > INNER
    walls = scene.triangles[away & ~scene.emitters].astype(np.float64)
    if len(walls) == 0 or _hidden(scene, walls, 0):
        return 360.0
    sides = []
    for direction in (1, -1):
        turns = range(STEP, 181, STEP)
        sides.append(next((turn - STEP for turn in turns if _hidden(scene, walls, direction * turn)), 180))
    return float(2 * min(sides)) or 2.0 * STEP


def _hidden(scene: TriangleScene, walls: np.ndarray[tuple[int, ...], np.dtype[np.float64]], degrees: float) -> bool:
    """Whether a wall hides part of the middle from the first camera, gone round by this much."""
    turn = about_vertical(np.radians(degrees))
    eye = turn @ scene.c2w[0, :3, 3].astype(np.float64)
    right = turn @ scene.c2w[0, :3, 0].astype(np.float64)
    rays = np.stack([offset * right - eye for offset in (-SIDE, 0.0, SIDE)])
    distances, *_ = first_hits(eye, rays, walls)
    return bool((distances < 1 - SIDE / np.linalg.norm(eye)).any())
