"""Polylines: length, resampling, normals without twist, random curves."""

import numpy as np

from rfcli.synth.shapes.grid import Points


def path_length(points: Points) -> float:
    """Length of a polyline [K, d]."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def resample(points: Points, count: int) -> Points:
    """`count` points along a polyline [K, d], evenly spaced except that its corners are kept."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0.0, at[-1], count)
    if len(points) < count:
        for corner in at[1:-1]:
            wanted[1:-1][np.argmin(np.abs(wanted[1:-1] - corner))] = corner
    return np.stack([np.interp(wanted, at, column) for column in points.T], axis=1)


def transported_normals(tangent: Points) -> Points:
    """Unit normals [K, 3] of a curve with unit tangents [K, 3], each parallel-transported from the one before."""
    normals = [np.cross(tangent[0], np.eye(3)[np.argmin(np.abs(tangent[0]))])]
    for t in tangent[1:]:
        normals.append(normals[-1] - t * (normals[-1] @ t))
    result: Points = np.array(normals) / np.linalg.norm(normals, axis=1, keepdims=True)
    return result


def random_curve(rng: np.random.Generator, steps: int, bend: float) -> Points:
    """A smooth random curve [steps, 3] of length 1 that starts at the origin and mainly rises.

    bend: scale, in radians, of the deviation from the vertical.
    """
    t = np.linspace(0, 1, steps)
    wander = sum(
        rng.normal(0, bend / k, (2, 1)) * np.sin(np.pi * k * t + rng.uniform(0, 2 * np.pi, (2, 1))) for k in (1, 2, 3)
    )
    lean = np.asarray(wander)
    direction = np.stack([np.sin(lean[0]), np.sin(lean[1]), np.cos(lean[0]) * np.cos(lean[1])], axis=1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return np.concatenate([np.zeros((1, 3)), np.cumsum(direction[:-1], axis=0)]) / (steps - 1)
