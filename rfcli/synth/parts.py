"""Pieces from which a scene is put together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh

from rfcli.synth.normals import corner_normals

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """Triangles [N, 3, 3] with vertex normals [N, 3, 3] and materials [N, 13].

    two_sided: a sheet whose back may be looked at, as that of a bowl or a cloth; the back of a wall may not.
    """

    triangles: Floats
    vn: Floats
    material: Floats
    two_sided: bool = False


def piece(mesh: trimesh.Trimesh, material: Floats, smooth: bool, two_sided: bool = False) -> Piece:
    """The mesh's faces with their materials [F, 13]."""
    return Piece(np.asarray(mesh.triangles), corner_normals(mesh, smooth), material, two_sided)
