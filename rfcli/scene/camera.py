"""Cameras: look-at to matrix."""

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.schema import Vector
from rfcli.scene.triangle_scene import FloatArray

NEAREST = 1e-6  # between a camera and what it looks at: below, its direction is rounding


def look_at(position: Vector, target: Vector, up: Vector) -> FloatArray:
    """Camera-to-world matrix [4, 4] of a camera at `position` that looks at `target`.

    Columns: right (+X), up (+Y), backwards (+Z; the camera looks down its -Z), position.
    Raises InputError where the view direction has no length or is parallel to `up`.
    """
    origin = np.asarray(position, dtype=np.float64)
    backward = origin - np.asarray(target, dtype=np.float64)
    right = np.cross(np.asarray(up, dtype=np.float64), backward)
    distance = np.linalg.norm(backward)
    if distance < NEAREST or np.linalg.norm(right) <= 1e-9 * distance:
        raise InputError("position, look_at and up span no plane; move look_at away from position and turn up aside.")
    backward /= distance
    right /= np.linalg.norm(right)
    c2w = np.eye(4)
    c2w[:3, 0] = right
    c2w[:3, 1] = np.cross(backward, right)
    c2w[:3, 2] = backward
    c2w[:3, 3] = origin
    return c2w.astype(np.float32)
