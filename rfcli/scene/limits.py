"""Limits on untrusted input: sizes that are refused before memory is allocated, and ranges of values."""

from pathlib import Path

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.triangle_scene import EMISSION, NORMAL, TriangleScene

MAX_TRIANGLES = 1 << 22  # of a mesh or a scene: a thousand times the largest published ones
MAX_SCENE_BYTES = 64_000_000  # of a scene file
MAX_MESH_BYTES = 2_000_000_000  # of a mesh file
MAX_COORDINATE = 1e6  # absolute value: float32 has steps of 0.06 there, and squares are far from overflow
MAX_RADIANCE = 1e9
MAX_ENTRIES = 10_000  # objects, and cameras, of a scene file

HALF_ROUNDING = 2e-3  # by how much values stored in half precision may leave their range


def check_ranges(scene: TriangleScene, path: Path) -> None:
    """Raise InputError, naming file and array, if a value is out of range or a camera is not a rigid motion."""
    unit = 1 + HALF_ROUNDING
    ranges = {
        "triangles": (scene.triangles, -MAX_COORDINATE, MAX_COORDINATE),
        "vn (unit vertex normals)": (scene.vn, -unit, unit),
        "material (diffuse, specular, roughness)": (scene.material[:, : NORMAL.start], -HALF_ROUNDING, unit),
        "material (tangent normal)": (scene.material[:, NORMAL], -unit, unit),
        "material (emission)": (scene.material[:, EMISSION], 0.0, MAX_RADIANCE),
        "fov": (scene.fov, 1e-3, 179.99),
        "c2w": (scene.c2w, -MAX_COORDINATE, MAX_COORDINATE),
    }
    for name, (array, low, high) in ranges.items():
        for extreme in (array.min(), array.max()):
            if not low <= extreme <= high:
                raise InputError(f"{path}: {name} holds {extreme:g}, not {low:g} to {high:g}; correct the scene.")
    rotations = scene.c2w[:, :3, :3]
    invalid = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2)) > 0.01
    invalid |= (scene.c2w[:, 3] != (0, 0, 0, 1)).any(axis=1)
    if invalid.any():
        raise InputError(
            f"{path}: c2w of camera {invalid.argmax()} is not a rigid motion with last row 0, 0, 0, 1; correct it."
        )
