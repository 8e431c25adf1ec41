"""Animals: body, head, limbs, tail and ears, blended into one closed surface."""

import numpy as np
import trimesh

from rfcli.synth.shapes.grid import Points
from rfcli.synth.shapes.implicit import capsule_distance, ellipsoid_distance, level_set, smooth_union

Part = tuple[Points, Points, float, float]  # start and end of a rod, radius at each


def quadruped(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A four-legged animal of random proportions, facing +x."""
    long, stout, legs = rng.uniform(0.35, 0.7), rng.uniform(0.14, 0.26), rng.uniform(0.15, 0.55)
    leg, foot = rng.uniform(0.05, 0.09), rng.uniform(0.04, 0.07)
    hip = legs + 0.6 * stout
    neck = np.array([rng.uniform(0.1, 0.25), 0.0, rng.uniform(0.05, 0.5)])
    shoulder = np.array([0.45 * long, 0.0, hip + 0.3 * stout])
    head = shoulder + neck
    size = rng.uniform(0.09, 0.16)
    snout = head + np.array([rng.uniform(0.1, 0.28), 0.0, rng.uniform(-0.12, 0.02)])
    tail = np.array([-long / 2, 0.0, hip + 0.2 * stout])
    tip = tail + np.array([-rng.uniform(0.1, 0.4), rng.uniform(-0.1, 0.1), rng.uniform(-0.25, 0.3)])
    parts: list[Part] = [(shoulder, head, 0.6 * stout, 0.7 * size), (head, snout, size, rng.uniform(0.035, 0.07))]
    parts += [(tail, tip, 0.06, 0.035)]
    for x in (-0.4 * long, 0.4 * long):
        for y in (-0.55 * stout, 0.55 * stout):
            stride = rng.uniform(-0.08, 0.08)
            parts.append((np.array([x, y, hip]), np.array([x + stride, y, foot]), leg, foot))
    ear = np.array([-0.03, rng.uniform(0.02, 0.12), rng.uniform(0.05, 0.2)])
    for side in (-1.0, 1.0):
        root = head + np.array([-0.02, side * 0.6 * size, 0.6 * size])
        parts.append((root, root + ear * (1.0, side, 1.0), 0.04, 0.035))
    body = np.array([0.0, 0.0, hip]), np.array([0.55 * long, stout, stout])
    return _skin(parts, [body], rng.uniform(0.015, 0.03), faces)


def _skin(parts: list[Part], ellipsoids: list[tuple[Points, Points]], blend: float, faces: int) -> trimesh.Trimesh:
    """Closed surface of the blended union of rods and of ellipsoids (centre, half axes)."""

    def inside(points: Points) -> Points:
        rods = [capsule_distance(points, *part) for part in parts]
        return -smooth_union(rods + [ellipsoid_distance(points, *one) for one in ellipsoids], blend)

    ends = [(end, max(thick, thin)) for start, stop, thick, thin in parts for end in (start, stop)]
    low = np.min([*(end - r for end, r in ends), *(centre - axes for centre, axes in ellipsoids)], axis=0)
    high = np.max([*(end + r for end, r in ends), *(centre + axes for centre, axes in ellipsoids)], axis=0)
    return level_set(inside, low - 2 * blend, high + 2 * blend, faces)


def bird(rng: np.random.Generator, faces: int) -> trimesh.Trimesh:
    """A tapering body along +x with beak, tail and two spread wings; with short ones it looks like a fish."""
    long, stout, size = rng.uniform(0.25, 0.45), rng.uniform(0.12, 0.24), rng.uniform(0.08, 0.15)
    head = np.array([long + 0.3 * size, 0.0, rng.uniform(0.0, 0.2)])
    beak = head + np.array([rng.uniform(0.1, 0.25), 0.0, rng.uniform(-0.06, 0.02)])
    parts: list[Part] = [(np.zeros(3), head, 0.8 * stout, 0.8 * size), (head, beak, size, 0.03)]
    spread, lift, swept = rng.uniform(0.2, 0.7), rng.uniform(-0.1, 0.4), rng.uniform(-0.3, 0.1)
    for side in (-1.0, 1.0):
        for feather in np.linspace(-0.1, 0.1, 4):  # parallel rods form a flat wing
            root = np.array([feather, side * 0.5 * stout, 0.3 * stout])
            tip = root + np.array([swept - 0.4 * feather, side * spread, lift * spread])
            parts.append((root, tip, 0.05, 0.035))
        fan = np.array([-long - rng.uniform(0.1, 0.25), side * rng.uniform(0.03, 0.15), rng.uniform(0.0, 0.15)])
        parts.append((np.array([-0.7 * long, 0.0, 0.0]), fan, 0.05, 0.03))
    return _skin(parts, [(np.zeros(3), np.array([long, stout, stout]))], rng.uniform(0.015, 0.03), faces)
