"""A few rays against a few thousand triangles."""

import numpy as np
import numpy.typing as npt

from rfcli.synth.parts import Floats


def first_hits(
    origin: Floats, rays: Floats, triangles: Floats
) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Distances [R] in units of the rays' lengths (inf for a miss), whether the front was met, and of which triangle.

    Möller and Trumbore (1997), every ray against every triangle. origin [3], rays [R, 3],
    triangles [N, 3, 3]. The front is the side with counter-clockwise corners.
    """
    edge1, edge2 = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    normal = np.cross(edge1, edge2)
    offset = origin - triangles[:, 0]
    facing = -rays @ normal.T  # [R, N], positive from the front
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.einsum("nk,nk->n", offset, normal) / facing
        turned = np.cross(offset[None], rays[:, None])  # [R, N, 3]
        u = np.einsum("nk,rnk->rn", edge2, turned) / facing
        v = -np.einsum("nk,rnk->rn", edge1, turned) / facing
        inside = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6)
    t = np.where(inside, t, np.inf)
    nearest = t.argmin(axis=1)
    rows = np.arange(len(rays))
    return t[rows, nearest], facing[rows, nearest] > 0, nearest
