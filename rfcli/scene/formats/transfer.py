"""Materials of a mesh for a coarser mesh of the same surface."""

import numpy as np
from scipy.spatial import cKDTree

from rfcli.scene.formats.contents import Floats
from rfcli.scene.geometry import triangle_areas


def transferred(values: Floats, triangles: Floats, coarse: Floats) -> Floats:
    """Mean by area of the values of those triangles that are nearest to each coarse triangle.

    Args:
        values: [N, K] of the triangles.
        triangles: [N, 3, 3].
        coarse: [M, 3, 3] triangles of nearly the same surface.

    Returns:
        [M, K]; a coarse triangle that is nearest to none has the values of the one nearest to it.
    """
    centres, coarse_centres = triangles.mean(axis=1), coarse.mean(axis=1)
    owner = cKDTree(coarse_centres).query(centres)[1]
    area = np.maximum(triangle_areas(triangles), 1e-300)
    total = np.bincount(owner, area, len(coarse))
    sums = [np.bincount(owner, area * column, len(coarse)) for column in values.T]
    means = np.stack(sums, axis=1) / np.maximum(total, 1e-300)[:, None]
    empty = np.flatnonzero(total == 0)
    if len(empty):
        means[empty] = values[cKDTree(centres).query(coarse_centres[empty])[1]]
    return np.asarray(means)
