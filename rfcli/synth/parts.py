"""Pieces from which a scene is put together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh

from rfcli.synth.normals import corner_normals

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """Triangles [N, 3, 3] with vertex normals [N, 3, 3] and materials [N, 13]."""

    triangles: Floats
    vn: Floats
    material: Floats


def piece(mesh: trimesh.Trimesh, material: Floats, smooth: bool) -> Piece:
    """The mesh's faces with their materials [F, 13]."""
    return Piece(np.asarray(mesh.triangles), corner_normals(mesh, smooth), material)
