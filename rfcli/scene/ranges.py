"""Whether the numbers of a scene that came from a file are such as light can be computed from."""

from pathlib import Path

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.limits import BRIGHTEST, FARTHEST
from rfcli.scene.triangle_scene import EMISSION, NORMAL, TriangleScene

ROUNDING = 2e-3  # of numbers in half precision, by which they may leave their range


def check_ranges(scene: TriangleScene, path: Path) -> None:
    """Raises InputError, naming the file and the array, where a number is out of its range or a camera is none."""
    unit = 1 + ROUNDING
    ranges = {
        "triangles": (scene.triangles, -FARTHEST, FARTHEST),
        "vn (unit vertex normals)": (scene.vn, -unit, unit),
        "material (diffuse, specular, roughness)": (scene.material[:, : NORMAL.start], -ROUNDING, unit),
        "material (tangent normal)": (scene.material[:, NORMAL], -unit, unit),
        "material (emission)": (scene.material[:, EMISSION], 0.0, BRIGHTEST),
        "fov": (scene.fov, 1e-3, 179.99),
        "c2w": (scene.c2w, -FARTHEST, FARTHEST),
    }
    for name, (array, low, high) in ranges.items():
        for worst in (array.min(), array.max()):
            if not low <= worst <= high:
                raise InputError(f"{path}: {name} holds {worst:g}, not {low:g} to {high:g}; correct the scene.")
    turns = scene.c2w[:, :3, :3]
    skewed = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2)) > 0.01
    skewed |= (scene.c2w[:, 3] != (0, 0, 0, 1)).any(axis=1)
    if skewed.any():
        raise InputError(
            f"{path}: c2w of camera {skewed.argmax()} is not a rotation and a position above 0, 0, 0, 1; correct it."
        )
