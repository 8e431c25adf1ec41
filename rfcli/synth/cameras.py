"""Random cameras in front of the open side of a template."""

from collections import Counter

import numpy as np
import numpy.typing as npt

from rfcli.scene.geometry import first_hits, look_at
from rfcli.synth.candidates import RejectedError
from rfcli.synth.pieces import Floats, Piece
from rfcli.synth.templates import FLOOR, Template

MAX_TRIES = 30  # random views per requested camera
GRID = 6  # rays along each side of the image that test a view
MIN_HIT_SHARE = 0.35  # of the rays
MIN_FRONT_SHARE = 0.9  # of the hits
MIN_DISTANCE = 0.4  # to the nearest hit, along the camera's axis


def random_cameras(
    rng: np.random.Generator, template: Template, solid: list[Piece], views: int
) -> tuple[Floats, Floats]:
    """Camera matrices c2w [views, 4, 4] and fields of view [views] in degrees.

    As published: distance 1.5 to 2, field of view 30 to 60, target up to 0.2 from the centre along each axis. `solid`:
    all pieces except the lights. Raises RejectedError, with the most common fault, if too few views are good.
    """
    triangles = np.concatenate([part.triangles for part in solid])
    two_sided = np.repeat([part.two_sided for part in solid], [len(part.triangles) for part in solid])
    poses: list[Floats] = []
    fovs: list[float] = []
    faults: Counter[str] = Counter()
    for _ in range(MAX_TRIES * views):
        if len(poses) == views:
            break
        pose, fov = _random_camera(rng, template)
        fault = view_fault(pose, fov, triangles, two_sided)
        if fault is None:
            poses.append(pose)
            fovs.append(fov)
        else:
            faults[fault] += 1
    if len(poses) < views:
        raise RejectedError(faults.most_common(1)[0][0])
    return np.array(poses), np.array(fovs)


def _random_camera(rng: np.random.Generator, template: Template) -> tuple[Floats, float]:
    """One camera matrix [4, 4] and field of view in degrees, not yet tested."""
    centre, spread = template.azimuth
    azimuth = np.radians(rng.uniform(centre - spread, centre + spread))
    elevation = np.radians(rng.uniform(*template.elevation))
    direction = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    eye = rng.uniform(1.5, 2.0) * direction
    eye[2] = max(eye[2], FLOOR + 0.05)
    target = rng.uniform(-0.2, 0.2, 3) - np.array([0, 0, 0.1 * (template.name != "room")])
    return look_at(eye, target), float(rng.uniform(30, 60))


def view_fault(pose: Floats, fov: float, triangles: Floats, two_sided: npt.NDArray[np.bool_]) -> str | None:
    """The fault of a view, found with a coarse grid of rays; None if it is good.

    A good view shows enough of the scene, mostly fronts of triangles, and nothing too near. two_sided [N]: triangles
    whose backs may be visible.
    """
    line = np.linspace(-0.8, 0.8, GRID) * np.tan(np.radians(fov) / 2)
    x, y = np.meshgrid(line, line)
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1).reshape(-1, 3) @ pose[:3, :3].T
    distance, front, nearest = first_hits(pose[:3, 3], rays, triangles)
    hit = np.isfinite(distance)
    if hit.mean() <= MIN_HIT_SHARE:
        return "camera sees nothing"
    if (front | two_sided[nearest])[hit].mean() <= MIN_FRONT_SHARE:
        return "camera inside something"  # or behind a wall
    return "camera too near" if distance.min() <= MIN_DISTANCE else None
