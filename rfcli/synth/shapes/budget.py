"""Fitting a mesh to a number of faces."""

import fast_simplification
import numpy as np
import trimesh


def decimate(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """The mesh with at most `faces` faces, collapsing edges by quadric error (Garland and Heckbert 1997)."""
    for target in (faces, int(faces * 0.85)):  # it may stop a few faces early
        if len(mesh.faces) <= faces:
            break
        points, triangles = fast_simplification.simplify(
            np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), target_count=target, agg=7
        )
        mesh = trimesh.Trimesh(points.astype(np.float64), triangles, process=False)
    return mesh
