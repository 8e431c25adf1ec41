"""Meshes decimated to a number of faces; closed ones stay closed."""

import fast_simplification
import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh

# Vertices are rounded to multiples of 1 / ROUNDING before decimation, because processors differ in the last bit of a
# sine, which must not decide which edge is collapsed first.
ROUNDING = 2.0**20
MIN_EDGE = 0.15  # in units of the square root of the mean area
MIN_RELATIVE_HEIGHT = 1e-4  # height of a triangle over its longest side, divided by that side


def decimate(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """Decimates a mesh to at most `faces` faces by edge collapse with quadric error (Garland and Heckbert 1997).

    A closed mesh stays closed, with two faces at every edge. A mesh of many loose parts may not reach the budget; the
    result then has too many faces, or none.
    """
    if len(mesh.faces) <= faces:
        return mesh
    points = np.round(np.asarray(mesh.vertices) * ROUNDING) / ROUNDING
    coarse = mesh
    for share in (1.0, 0.95, 0.9, 0.85, 0.75, 0.6):  # decimation may miss its target
        fewer, kept = fast_simplification.simplify(
            points.astype(np.float32), np.asarray(mesh.faces, np.int32), target_count=int(faces * share), agg=7
        )
        coarse = trimesh.Trimesh(fewer.astype(np.float64), without_double_faces(kept), process=False)
        if coarse.is_watertight < mesh.is_watertight:
            coarse = separate_shared_edges(coarse)
        if len(coarse.faces) > 0:
            collapse_short_edges(coarse)
            flip_degenerate_triangles(coarse)
        if 0 < len(coarse.faces) <= faces and coarse.is_watertight >= mesh.is_watertight:
            break
    return coarse


def separate_shared_edges(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The same surface with duplicate vertices at edges with four faces, where two parts touch."""
    solid = manifold3d.Manifold(
        manifold3d.Mesh64(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.uint64))
    )
    return mesh if solid.is_empty() else to_mesh(solid)  # empty: not possible for this mesh


def collapse_short_edges(mesh: trimesh.Trimesh) -> None:
    """Collapses, in place, edges far shorter than the mean where the topology allows it; each removes two faces.

    Decimation minimises the error, and on flat parts often moves two vertices to the same position.
    """
    short = MIN_EDGE * (float(mesh.area) / len(mesh.faces)) ** 0.5
    faces, moved = np.array(mesh.faces), np.arange(len(mesh.vertices))
    for edge in mesh.edges_unique[mesh.edges_unique_length < short]:
        a, b = moved[edge]
        near_a, near_b = (set(faces[(faces == end).any(axis=1)].ravel()) - {a, b} for end in (a, b))
        if a != b and len(near_a & near_b) == 2:
            faces[faces == b] = a
            moved[moved == b] = a
            faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    mesh.faces = faces
    mesh.remove_unreferenced_vertices()


def flip_degenerate_triangles(mesh: trimesh.Trimesh) -> None:
    """Flips, in place, the longest edge of every triangle whose corners lie on a line, so that it gets an area."""
    faces = np.array(mesh.faces)
    for degenerate in np.flatnonzero(relative_heights(mesh) < MIN_RELATIVE_HEIGHT):
        corners = np.asarray(mesh.vertices)[faces[degenerate]]
        longest = int(np.argmax(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)))
        u, v, w = np.roll(faces[degenerate], -longest)
        beyond = np.flatnonzero((faces == v).any(axis=1) & (faces == u).any(axis=1))
        beyond = beyond[beyond != degenerate]
        if len(beyond) == 1:
            (x,) = set(faces[beyond[0]]) - {u, v}
            if not ((faces == w) | (faces == x)).sum(axis=1).max() > 1:  # the new edge does not exist yet
                faces[degenerate], faces[beyond[0]] = (w, u, x), (x, v, w)
    mesh.faces = faces


def relative_heights(mesh: trimesh.Trimesh) -> npt.NDArray[np.float64]:
    """[F] height of each face over its longest side, divided by that side."""
    corners = np.asarray(mesh.triangles)
    longest = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(axis=1)
    ratio: npt.NDArray[np.float64] = 2 * np.asarray(mesh.area_faces) / np.maximum(longest**2, 1e-30)
    return ratio


def to_mesh(solid: manifold3d.Manifold) -> trimesh.Trimesh:
    """Surface of a solid."""
    surface = solid.to_mesh64()
    return trimesh.Trimesh(np.asarray(surface.vert_properties)[:, :3], np.asarray(surface.tri_verts), process=False)


def without_double_faces(faces: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Faces [F, 3] without pairs on the same three vertices, the remains of thin parts."""
    _, face, count = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True, return_counts=True)
    single: npt.NDArray[np.int32] = faces[count[face] == 1]
    return single
