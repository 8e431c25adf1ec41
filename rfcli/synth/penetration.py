"""How much of an object lies inside another."""

from itertools import permutations

import numpy as np

from rfcli.synth.parts import Floats, Piece

SAMPLE = 128  # corners of an object that are looked at
ASIDE = np.array([0.2718, 0.1414, 0.9517])  # a direction along which nothing is built


def worst_overlap(objects: list[Piece]) -> float:
    """The largest share, 0..1, of one object's corners that lie inside another; sheets have no inside."""
    shares = [share_inside(sample(a), b.triangles) for a, b in permutations(objects, 2) if not b.two_sided]
    return max(shares, default=0.0)


def sample(piece: Piece) -> Floats:
    """At most SAMPLE corners [P, 3], spread evenly over the piece's triangles."""
    corners = piece.triangles.reshape(-1, 3)
    return corners[:: max(1, len(corners) // SAMPLE)]


def share_inside(points: Floats, triangles: Floats) -> float:
    """Share of points [P, 3] inside closed surfaces [N, 3, 3], whose windings all point outwards.

    A ray from the point leaves more often than it enters, also where parts of the surface overlap (a table's boards).
    """
    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    near = points[((points > low) & (points < high)).all(axis=1)]
    a, edge1, edge2 = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    across = np.cross(ASIDE, edge2)
    facing = np.einsum("nk,nk->n", across, edge1)  # negative where the ray leaves
    facing = np.where(np.abs(facing) < 1e-15, 1e-15, facing)
    offset = near[:, None] - a
    u = np.einsum("pnk,nk->pn", offset, across) / facing
    turned = np.cross(offset, edge1)
    v = turned @ ASIDE / facing
    t = np.einsum("pnk,nk->pn", turned, edge2) / facing
    crossed = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    return float(((crossed * -np.sign(facing)).sum(axis=1) > 0).sum() / len(points))
