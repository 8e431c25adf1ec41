"""Shading normals: flat, or smooth up to a crease angle.

The official converter smooths with `trimesh.graph.smooth_shade`. The smoothing groups here are the same, but faces
inside a group keep the order of the mesh. smooth_shade orders them by numpy's unstable sort, which differs between
processors (AVX2, AVX-512, others), so that random colours would be assigned differently on each.
"""

import numpy as np
import numpy.typing as npt
import trimesh

from rfcli.scene.geometry import face_normals

CREASE = np.radians(30)  # neighbours whose normals differ by less are smoothed together
LARGE_FACET = 0.1  # a coplanar region with more than this share of the area stays flat, whatever its neighbours

Indices = npt.NDArray[np.int64]


def flat(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh with three separate vertices per triangle, so that vertex normals are face normals."""
    corners = mesh.triangles.reshape(-1, 3)
    return trimesh.Trimesh(corners, np.arange(len(corners)).reshape(-1, 3), process=False)


def smooth(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh as smoothing groups without common vertices, so that vertex normals are smooth within a group only.

    Faces come group by group: connected groups, large facets, single faces.
    A mesh whose edges are all sharper than the crease (a tetrahedron) stays unchanged: all of it is smoothed, as in
    the official converter.
    """
    groups = _smoothing_groups(mesh)
    if groups is None:
        return mesh.copy()
    smoothed: trimesh.Trimesh = mesh.submesh(groups, only_watertight=False, append=True)  # type: ignore[assignment]
    return smoothed


def smooth_corner_normals(mesh: trimesh.Trimesh) -> npt.NDArray[np.float64]:
    """[F, 3, 3] the normals of `smooth` at the corners of each face, in the order of the mesh."""
    groups = _smoothing_groups(mesh)
    if groups is None:
        return corner_normals(mesh)
    normals = np.empty((len(mesh.faces), 3, 3))
    normals[np.concatenate(groups)] = corner_normals(smooth(mesh))
    return normals


def _smoothing_groups(mesh: trimesh.Trimesh) -> list[Indices] | None:
    """Faces of each smoothing group; None if all of the mesh is one group."""
    if len(mesh.face_adjacency) == 0:
        return None
    facets = [np.sort(facet) for facet in mesh.facets if mesh.area_faces[facet].sum() > LARGE_FACET * mesh.area]
    free = np.ones(len(mesh.faces), dtype=bool)
    free[[face for facet in facets for face in facet]] = False
    pairs = mesh.face_adjacency[mesh.face_adjacency_angles < CREASE]
    label = _components(pairs[free[pairs].all(axis=1)], len(mesh.faces))
    single = free & (np.bincount(label)[label] == 1)
    connected = _by_label(np.flatnonzero(free & ~single), label)
    if not connected and not facets:
        return None
    return [*connected, *facets, *np.flatnonzero(single)[:, None]]


def corner_normals(mesh: trimesh.Trimesh) -> npt.NDArray[np.float64]:
    """[F, 3, 3] unit vertex normals at the corners of each face.

    Where those of the faces around a vertex cancel, the normal of the face itself; +z if it has no area either.
    """
    normals = np.array(mesh.vertex_normals[mesh.faces])
    cancelled = ~(np.linalg.norm(normals, axis=-1) > 0.5)
    if cancelled.any():
        own = face_normals(np.asarray(mesh.triangles))
        own[~own.any(axis=1)] = (0.0, 0.0, 1.0)
        normals[cancelled] = np.repeat(own[:, None], 3, axis=1)[cancelled]
    return normals


def shading_groups(mesh: trimesh.Trimesh) -> Indices:
    """[N] index of each face's edge-connected component, numbered in the order of their first faces."""
    return _components(mesh.face_adjacency, len(mesh.faces))


def separate_groups(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The same faces, without vertices common to two shading groups.

    Groups that touch in a point then do not smooth each other there; the official converter separates groups to
    colour them.
    """
    owned = np.column_stack([np.repeat(shading_groups(mesh), 3), mesh.faces.ravel()])
    pairs, corners = np.unique(owned, axis=0, return_inverse=True)
    return trimesh.Trimesh(mesh.vertices[pairs[:, 1]], corners.reshape(-1, 3), process=False)


def _components(pairs: Indices, faces: int) -> Indices:
    """[faces] components of the graph with edges `pairs` [E, 2], numbered in the order of their first faces."""
    if len(pairs) == 0:
        return np.arange(faces)
    label = trimesh.graph.connected_component_labels(pairs, node_count=faces)  # type: ignore[no-untyped-call]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank: Indices = np.argsort(np.argsort(first))
    return rank[inverse]


def _by_label(faces: Indices, label: Indices) -> list[Indices]:
    """The given faces as one array per label, both ascending."""
    if len(faces) == 0:
        return []
    ordered = faces[np.argsort(label[faces], kind="stable")]
    return np.split(ordered, np.flatnonzero(np.diff(label[ordered])) + 1)
