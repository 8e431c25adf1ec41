"""Fitting of shapes to a budget of faces."""

import manifold3d
import trimesh

from rfcli.scene.mesh_decimation import decimate, to_mesh


def refined(solid: manifold3d.Manifold, faces: int) -> trimesh.Trimesh:
    """Surface of a solid, refined to about twice the budget and then decimated to `faces`."""
    edge = (1.2 * solid.surface_area() / faces) ** 0.5
    return decimate(to_mesh(solid.simplify(1e-3).refine_to_length(edge)), faces)


def distribute_faces(faces: int, sizes: list[float], minimum: int) -> list[int]:
    """Faces for each part in proportion to its size, at least `minimum` each, at most `faces` in total."""
    spare = faces - minimum * len(sizes)
    return [minimum + int(spare * size / sum(sizes)) for size in sizes]
