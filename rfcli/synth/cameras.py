"""Random cameras that look into a template from its open side."""

import numpy as np
import numpy.typing as npt

from rfcli.synth.parts import Floats, Piece
from rfcli.synth.rays import first_hits
from rfcli.synth.templates import FLOOR, Template

TRIES = 30


def random_cameras(
    rng: np.random.Generator, template: Template, solid: list[Piece], views: int
) -> tuple[Floats, Floats] | None:
    """Poses c2w [views, 4, 4] and fields of view [views] in degrees; None where the scene offers too few.

    solid: all that is not a light.

    Distance 1.5..2, field of view 30..60, the point looked at up to 0.2 off the centre, as published.
    """
    triangles = np.concatenate([part.triangles for part in solid])
    two_sided = np.repeat([part.two_sided for part in solid], [len(part.triangles) for part in solid])
    poses: list[Floats] = []
    fovs: list[float] = []
    for _ in range(TRIES * views):
        if len(poses) == views:
            break
        pose, fov = random_camera(rng, template)
        if sees(pose, fov, triangles, two_sided):
            poses.append(pose)
            fovs.append(fov)
    return (np.array(poses), np.array(fovs)) if len(poses) == views else None


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


def sees(pose: Floats, fov: float, triangles: Floats, two_sided: npt.NDArray[np.bool_]) -> bool:
    """Whether a coarse grid of rays mostly meets the scene, and mostly from its front, not from too near."""
    line = np.linspace(-0.8, 0.8, 6) * np.tan(np.radians(fov) / 2)
    x, y = np.meshgrid(line, line)
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1).reshape(-1, 3) @ pose[:3, :3].T
    distance, front, nearest = first_hits(pose[:3, 3], rays, triangles)
    hit = np.isfinite(distance)
    return bool(hit.mean() > 0.35 and (front | two_sided[nearest])[hit].mean() > 0.9 and distance.min() > 0.4)
