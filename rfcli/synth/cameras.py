"""Random cameras that look into a template from its open side."""

from collections import Counter

import numpy as np
import numpy.typing as npt

from rfcli.synth.parts import Floats, Piece
from rfcli.synth.rays import first_hits
from rfcli.synth.rejection import RejectedError
from rfcli.synth.templates import FLOOR, Template

TRIES = 30


def random_cameras(
    rng: np.random.Generator, template: Template, solid: list[Piece], views: int
) -> tuple[Floats, Floats]:
    """Poses c2w [views, 4, 4] and fields of view [views] in degrees.

    solid: all that is not a light. Raises RejectedError, with the commonest fault, where the scene offers too few.

    Distance 1.5..2, field of view 30..60, the point looked at up to 0.2 off the centre, as published.
    """
    triangles = np.concatenate([part.triangles for part in solid])
    two_sided = np.repeat([part.two_sided for part in solid], [len(part.triangles) for part in solid])
    poses: list[Floats] = []
    fovs: list[float] = []
    faults: Counter[str] = Counter()
    for _ in range(TRIES * views):
        if len(poses) == views:
            break
        pose, fov = random_camera(rng, template)
        reason = fault(pose, fov, triangles, two_sided)
        if reason is None:
            poses.append(pose)
            fovs.append(fov)
        else:
            faults[reason] += 1
    if len(poses) < views:
        raise RejectedError(faults.most_common(1)[0][0])
    return np.array(poses), np.array(fovs)


def random_camera(rng: np.random.Generator, template: Template) -> tuple[Floats, float]:
    """One pose [4, 4] and field of view, not yet checked."""
    centre, spread = template.azimuth
    azimuth = np.radians(rng.uniform(centre - spread, centre + spread))
    elevation = np.radians(rng.uniform(*template.elevation))
    direction = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    eye = rng.uniform(1.5, 2.0) * direction
    eye[2] = max(eye[2], FLOOR + 0.05)
    target = rng.uniform(-0.2, 0.2, 3) - np.array([0, 0, 0.1 * (template.name != "room")])
    return look_at(eye, target), float(rng.uniform(30, 60))


def look_at(eye: Floats, target: Floats) -> Floats:
    """Camera to world [4, 4]: looks down -Z from `eye` to `target`, world's +z up on the picture."""
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(back, right), back, eye
    return pose


def fault(pose: Floats, fov: float, triangles: Floats, two_sided: npt.NDArray[np.bool_]) -> str | None:
    """What is wrong with a view, by a coarse grid of rays; None where it mostly meets the scene, and from its front.

    two_sided [N]: triangles that have no wrong side.
    """
    line = np.linspace(-0.8, 0.8, 6) * np.tan(np.radians(fov) / 2)
    x, y = np.meshgrid(line, line)
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1).reshape(-1, 3) @ pose[:3, :3].T
    distance, front, nearest = first_hits(pose[:3, 3], rays, triangles)
    hit = np.isfinite(distance)
    if hit.mean() <= 0.35:
        return "camera sees nothing"
    if (front | two_sided[nearest])[hit].mean() <= 0.9:
        return "camera inside something"  # or behind a wall
    return "camera too near" if distance.min() <= 0.4 else None
