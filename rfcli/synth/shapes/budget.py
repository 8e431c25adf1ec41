"""Fitting a mesh to a number of faces."""

import fast_simplification
import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh

GRAIN = 2.0**20  # vertices before decimation stand on a grid this fine: processors round sines differently in the
# last bit, which must not decide which edge is collapsed first
SHORT = 0.15  # times the square root of the mean area
FLAT = 1e-4  # height of a triangle over its longest side, as a part of it, below which it counts as a line


def decimate(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """The mesh with at most `faces` faces, collapsing edges by quadric error (Garland and Heckbert 1997).

    A closed mesh stays closed, with two faces at every edge. A heap of many loose parts cannot be brought down that
    far; what comes then has too many faces, or none.
    """
    if len(mesh.faces) <= faces:
        return mesh
    points = np.round(np.asarray(mesh.vertices) * GRAIN) / GRAIN
    coarse = mesh
    for target in (faces, *(int(faces * share) for share in (0.95, 0.9, 0.85, 0.75, 0.6))):  # it may stop too early
        fewer, kept = fast_simplification.simplify(
            points.astype(np.float32), np.asarray(mesh.faces, np.int32), target_count=target, agg=7
        )
        coarse = trimesh.Trimesh(fewer.astype(np.float64), without_folds(kept), process=False)
        if coarse.is_watertight < mesh.is_watertight:
            coarse = pulled_apart(coarse)
        if len(coarse.faces) > 0:
            close_short_edges(coarse)
            flip_needles(coarse)
        if 0 < len(coarse.faces) <= faces and coarse.is_watertight >= mesh.is_watertight:
            break
    return coarse


def pulled_apart(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The same surface with its vertices doubled where parts of it touch along an edge, which then has four faces."""
    solid = manifold3d.Manifold(
        manifold3d.Mesh64(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.uint64))
    )
    return mesh if solid.is_empty() else mesh_of(solid)  # empty: this cannot be pulled apart


def close_short_edges(mesh: trimesh.Trimesh) -> None:
    """Merge the ends of edges far shorter than the mean where the surface allows it: two faces go; in place.

    Decimation moves vertices to where the error is least, on flat parts often two to the same place.
    """
    short = SHORT * (float(mesh.area) / len(mesh.faces)) ** 0.5
    faces, moved = np.array(mesh.faces), np.arange(len(mesh.vertices))
    for edge in mesh.edges_unique[mesh.edges_unique_length < short]:
        a, b = moved[edge]
        beside_a, beside_b = (set(faces[(faces == end).any(axis=1)].ravel()) - {a, b} for end in (a, b))
        if a != b and len(beside_a & beside_b) == 2:
            faces[faces == b] = a
            moved[moved == b] = a
            faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    mesh.faces = faces
    mesh.remove_unreferenced_vertices()


def flip_needles(mesh: trimesh.Trimesh) -> None:
    """Turn the longest edge of every triangle whose corners lie on one line, so that it gets an area; in place."""
    faces = np.array(mesh.faces)
    for needle in np.flatnonzero(heights(mesh) < FLAT):
        corners = np.asarray(mesh.vertices)[faces[needle]]
        longest = int(np.argmax(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)))
        u, v, w = np.roll(faces[needle], -longest)
        beyond = np.flatnonzero((faces == v).any(axis=1) & (faces == u).any(axis=1))
        beyond = beyond[beyond != needle]
        if len(beyond) == 1:
            (x,) = set(faces[beyond[0]]) - {u, v}
            if not ((faces == w) | (faces == x)).sum(axis=1).max() > 1:  # the new edge is not there yet
                faces[needle], faces[beyond[0]] = (w, u, x), (x, v, w)
    mesh.faces = faces


def heights(mesh: trimesh.Trimesh) -> npt.NDArray[np.float64]:
    """Each face's height over its longest side, as a part of that side."""
    corners = np.asarray(mesh.triangles)
    longest = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(axis=1)
    ratio: npt.NDArray[np.float64] = 2 * np.asarray(mesh.area_faces) / np.maximum(longest**2, 1e-30)
    return ratio


def mesh_of(solid: manifold3d.Manifold) -> trimesh.Trimesh:
    """The solid's surface."""
    surface = solid.to_mesh64()
    return trimesh.Trimesh(np.asarray(surface.vert_properties)[:, :3], np.asarray(surface.tri_verts), process=False)


def without_folds(faces: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Faces [F, 3] without those that lie back to back on the same three vertices, what is left of a thin part."""
    _, face, count = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True, return_counts=True)
    single: npt.NDArray[np.int32] = faces[count[face] == 1]
    return single


def refined(solid: manifold3d.Manifold, faces: int) -> trimesh.Trimesh:
    """A solid's surface cut into twice as many small triangles as wanted, then decimated to `faces`."""
    edge = (1.2 * solid.surface_area() / faces) ** 0.5
    return decimate(mesh_of(solid.simplify(1e-3).refine_to_length(edge)), faces)


def shared(faces: int, sizes: list[float], least: int) -> list[int]:
    """`faces` dealt out to parts in proportion to their sizes, at least `least` to each, together at most `faces`."""
    spare = faces - least * len(sizes)
    return [least + int(spare * size / sum(sizes)) for size in sizes]
