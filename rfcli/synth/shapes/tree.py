"""Trees."""

import numpy as np
import trimesh

from rfcli.synth.shapes.boxes import joined
from rfcli.synth.shapes.budget import distribute_faces
from rfcli.synth.shapes.grid import Points
from rfcli.synth.shapes.tubes import CIRCLE, swept

MIN_BRANCH_FACES = 24


def tree(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A trunk with branches in three levels, as in a Lindenmayer system: each branch has smaller ones around it.

    Every branch is a separate closed tube that starts inside its parent; faces are distributed by surface.
    """
    spread, shrink = rng.uniform(0.4, 1.1), rng.uniform(0.55, 0.75)
    branches = [_branch(rng, np.zeros(3), np.array([0.0, 0.0, 1.0]), 1.0, rng.uniform(0.05, 0.1))]
    waiting = [(branches[0], 1.0, 0)]
    most = faces // (2 * MIN_BRANCH_FACES)
    while waiting:
        (curve, radius), length, level = waiting.pop(0)
        children = int(rng.integers(2, 5))
        for child in range(children):
            if level == 3 or len(branches) >= most:
                break
            at = int(rng.uniform(0.35, 0.95) * len(curve))
            tangent = curve[min(at + 1, len(curve) - 1)] - curve[at - 1]
            heading = direction_at_angle(tangent, spread * rng.uniform(0.7, 1.2), 2.4 * child + rng.uniform(0, 1))
            branch = _branch(rng, curve[at], heading, length * shrink * rng.uniform(0.8, 1.1), 0.7 * float(radius[at]))
            branches.append(branch)
            waiting.append((branch, length * shrink, level + 1))
    sizes = [float(np.linalg.norm(np.diff(curve, axis=0), axis=1).sum() * radius.mean()) for curve, radius in branches]
    counts = distribute_faces(faces, sizes, MIN_BRANCH_FACES)
    return joined([swept(*branch, CIRCLE, count) for branch, count in zip(branches, counts, strict=True)])


def _branch(
    rng: np.random.Generator, start: Points, heading: Points, length: float, thick: float
) -> tuple[Points, Points]:
    """A random rising curve [K, 3] and its radius [K]."""
    t = np.linspace(0, 1, 16)[:, None]
    sway = rng.normal(0, 0.15, (2, 3)) * length
    curve = start + length * t * heading + sway[0] * t**2 + sway[1] * t**3
    curve[:, 2] += rng.uniform(0.0, 0.25) * length * t[:, 0] ** 2
    return curve, np.maximum(thick * (1 - 0.6 * t[:, 0]), 0.012)


def direction_at_angle(axis: Points, angle: float, azimuth: float) -> Points:
    """Unit vector [3] at `angle` from the axis and at `azimuth` around it, radians."""
    axis = axis / np.linalg.norm(axis)
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    side /= np.linalg.norm(side)
    around = np.cos(azimuth) * side + np.sin(azimuth) * np.cross(axis, side)
    result: Points = np.cos(angle) * axis + np.sin(angle) * around
    return result
