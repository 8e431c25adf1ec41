"""Faces of a file that light can use: each once, with an area, front outwards.

Files have faces twice (a second layer for the back, or the same one again), wound inwards, or of no area. Double faces
have vertex normals that cancel to zero; inward ones are shaded as if seen from behind.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from rfcli.scene.formats.contents import Contents, Floats, Indices, Part
from rfcli.scene.geometry import face_normals, triangle_areas
from rfcli.scene.ray_casting import ray_caster
from rfcli.scene.warnings import sphere_directions

# Lengths as shares of the longest side of all parts.
WELD = 1e-6  # vertices nearer than about this are one
MIN_HEIGHT = 1e-8  # of a face over its longest side
RAY_GAP = 1e-4  # between a face and the start of its rays

DIRECTIONS = 32  # of rays from a face, to all sides
SAMPLES_PER_PATCH = 24  # faces from which rays are cast
MAX_SAMPLES = 1 << 16  # of all patches: those with the largest areas are tested, the others stay as they are
CLEARLY_MORE = 1.05  # ratio of open rays behind and in front above which a patch is turned

Bools = npt.NDArray[np.bool_]


def outward_faces(contents: Contents, seen_from: npt.ArrayLike | None = None) -> Contents:
    """The contents with each face once, without faces of no area, and with all fronts outwards.

    Outwards is the side from which more rays leave the mesh (for a closed surface: its outside). Neighbours are wound
    alike first. Vertex normals are turned to the front of their faces.

    Args:
        contents: An object; the walls of a room would be turned away from its inside.
        seen_from: [3] direction towards the camera, to which sheets are turned that are as open on both sides;
            None: they stay as they are.

    Returns:
        The contents, with a note if faces were left out or turned. Parts without faces are gone.
    """
    corners = _unit_corners(contents)
    welded = weld(corners)
    solid = has_height(corners, welded)
    kept = solid & first_of_equal(welded, solid)
    turned = np.zeros(len(corners), dtype=bool)
    if kept.any():
        turned[kept] = inward(corners[kept], welded[kept], seen_from)
    double, backward = int((solid & ~kept).sum()), int(turned.sum())
    notes = list(contents.notes)
    if double:
        notes.append(f"{double:,} faces that are in the file twice are drawn once.")
    if backward:
        notes.append(f"{backward:,} faces that were wound inwards are turned outwards.")
    parts, start = [], 0
    for part in contents.parts:
        rows = slice(start, start + len(part.faces))
        start = rows.stop
        if kept[rows].any():
            parts.append(_with_faces(part, kept[rows], turned[rows]))
    return replace(contents, parts=parts, notes=notes)


def welded_mesh(contents: Contents) -> trimesh.Trimesh:
    """All parts as one mesh, in which corners at one position are one vertex; its longest side is 1, centred on 0."""
    corners = _unit_corners(contents)
    welded = weld(corners)
    _, first = np.unique(welded, return_index=True)
    return trimesh.Trimesh(corners.reshape(-1, 3)[first], welded, process=False)


def without_double_faces(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh with the first of the faces on the same three positions, whose vertex normals would cancel otherwise.

    Nothing else is changed; a mesh without double faces is returned as it is.
    """
    corners = _centred(np.asarray(mesh.triangles))
    kept = first_of_equal(weld(corners), np.ones(len(corners), dtype=bool))
    if kept.all():
        return mesh
    return trimesh.Trimesh(mesh.vertices, mesh.faces[kept], process=False)


def _unit_corners(contents: Contents) -> Floats:
    """[F, 3, 3] corners of all faces of all parts, as `_centred`."""
    return _centred(np.concatenate([part.vertices[part.faces] for part in contents.parts]))


def _centred(corners: Floats) -> Floats:
    """Corners [F, 3, 3] centred on 0 and scaled to a longest side of 1."""
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    return np.asarray((corners - (low + high) / 2) / (float((high - low).max()) or 1.0))


def weld(corners: Floats) -> Indices:
    """[F, 3] number of the position of each corner [F, 3, 3] of triangles whose longest side in all is 1."""
    cells = np.round((corners.reshape(-1, 3) + 0.5) / WELD).astype(np.int64)
    span = round(1 / WELD) + 3
    keys = (cells[:, 0] * span + cells[:, 1]) * span + cells[:, 2]
    return np.asarray(np.unique(keys, return_inverse=True)[1].reshape(-1, 3), dtype=np.int64)


def has_height(corners: Floats, welded: Indices) -> Bools:
    """[F] whether triangles have three different corners that are not on a line."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(axis=1)
    different = (welded != np.roll(welded, 1, axis=1)).all(axis=1)
    return np.asarray(different & (2 * triangle_areas(corners) > MIN_HEIGHT * sides))


def first_of_equal(welded: Indices, among: Bools) -> Bools:
    """[F] whether a face is the first on its three vertices, in whatever order, of the faces `among`."""
    members = np.flatnonzero(among)
    _, first = np.unique(np.sort(welded[members], axis=1), axis=0, return_index=True)
    single = np.zeros(len(welded), dtype=bool)
    single[members[first]] = True
    return single


def inward(corners: Floats, welded: Indices, seen_from: npt.ArrayLike | None) -> Bools:
    """[F] whether a face must be turned so that its front is outside; corners and welded as in `weld`."""
    patch, turned = consistent_patches(welded)
    normals, areas = face_normals(corners), triangle_areas(corners)
    normals = np.where(turned[:, None], -normals, normals)
    front, back = open_rays(corners, normals, areas, patch)
    flip = back > CLEARLY_MORE * front
    if seen_from is not None:
        tie = (back <= CLEARLY_MORE * front) & (front <= CLEARLY_MORE * back) & (front > 0)
        towards = np.bincount(patch, areas * (normals @ np.asarray(seen_from, dtype=np.float64)), len(front))
        flip |= tie & (towards < 0)
    enclosed = (front == 0) & (back == 0)
    volume = np.bincount(patch, np.einsum("fc,fc->f", normals, corners.mean(axis=1)) * areas, len(front))
    flip |= enclosed & is_closed(welded, patch, len(front)) & (volume < 0)
    return np.asarray(turned ^ flip[patch])


def consistent_patches(welded: Indices) -> tuple[Indices, Bools]:
    """Patches of faces joined by edges of exactly two faces, and which faces to turn so that each is wound alike.

    Each face is two nodes of a graph, as it is and turned; neighbours are linked in the states in which they are wound
    alike. One component of a patch has its faces in one state each; the one is taken that turns fewer faces. A patch
    without two sides (a Moebius strip) stays as it is.

    Returns:
        [F] number of the patch, and [F] whether to turn the face.
    """
    faces = len(welded)
    begin, end = welded.reshape(-1), np.roll(welded, -1, axis=1).reshape(-1)
    span = int(welded.max(initial=0)) + 1
    edge = np.minimum(begin, end) * span + np.maximum(begin, end)
    _, group, count = np.unique(edge, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    order = order[count[group[order]] == 2]
    one, other = order[::2], order[1::2]
    alike = begin[one] == end[other]
    a, b = one // 3, other // 3
    rows = np.concatenate([a, a + faces])
    columns = np.concatenate([np.where(alike, b, b + faces), np.where(alike, b + faces, b)])
    links = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(2 * faces, 2 * faces))
    _, component = connected_components(links, directed=False)
    as_is, as_turned = component[:faces], component[faces:]
    _, patch = np.unique(np.minimum(as_is, as_turned), return_inverse=True)
    unturned = np.bincount(as_is, minlength=component.max(initial=-1) + 1)  # faces of each component that stay
    return patch, np.asarray((as_is != as_turned) & _keeps_more(unturned, as_is, as_turned))


def _keeps_more(unturned: Indices, as_is: Indices, as_turned: Indices) -> Bools:
    """[F] whether the component in which the face is turned keeps more faces as they are."""
    more = unturned[as_turned] > unturned[as_is]
    equal = unturned[as_turned] == unturned[as_is]
    return np.asarray(more | (equal & (as_turned < as_is)))


def is_closed(welded: Indices, patch: Indices, patches: int) -> Bools:
    """[patches] whether each edge of a patch has two of its faces."""
    begin, end = welded.reshape(-1), np.roll(welded, -1, axis=1).reshape(-1)
    owner = np.repeat(patch, 3)
    keys = np.stack([owner, np.minimum(begin, end), np.maximum(begin, end)], axis=1)
    edges, count = np.unique(keys, axis=0, return_counts=True)
    closed = np.ones(patches, dtype=bool)
    closed[edges[count != 2, 0]] = False
    return closed


def open_rays(corners: Floats, normals: Floats, areas: Floats, patch: Indices) -> tuple[Floats, Floats]:
    """Share of rays from the front and from the back of each patch that hit nothing, weighted by area: [patches] each.

    0 on both sides for patches that are not tested (MAX_SAMPLES).
    """
    patches = int(patch.max()) + 1
    sample = _samples(areas, patch, patches)
    directions = sphere_directions(DIRECTIONS)
    side = np.sign(normals[sample] @ directions.T)  # [S, D]: 1 in front
    origin = corners[sample].mean(axis=1)[:, None] + RAY_GAP * side[..., None] * normals[sample][:, None]
    target = origin + 4 * directions  # longer than the diagonal of everything
    caster = ray_caster(corners.astype(np.float32))
    blocked = caster.occluded(
        origin.reshape(-1, 3).astype(np.float32), target.reshape(-1, 3).astype(np.float32)
    ).reshape(side.shape)
    weight = areas[sample] / np.maximum(np.bincount(patch[sample], areas[sample], patches), 1e-300)[patch[sample]]
    both = []
    for sign in (1, -1):
        here = side == sign
        share = (here & ~blocked).sum(axis=1) / np.maximum(here.sum(axis=1), 1)
        both.append(np.bincount(patch[sample], weight * share, patches).astype(np.float64))
    return both[0], both[1]


def _samples(areas: Floats, patch: Indices, patches: int) -> Indices:
    """Faces from which rays are cast: of each patch the largest and others evenly by number, of the largest patches."""
    order = np.lexsort((-areas, patch))
    size = np.bincount(patch, minlength=patches)
    first = np.cumsum(size) - size
    wanted = np.minimum(size, SAMPLES_PER_PATCH)
    largest = np.argsort(-np.bincount(patch, areas, patches), kind="stable")
    wanted[largest[np.cumsum(wanted[largest]) > MAX_SAMPLES]] = 0
    owner = np.repeat(np.arange(patches), wanted)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(wanted) - wanted, wanted)
    return np.asarray(order[first[owner] + rank * size[owner] // np.maximum(wanted[owner], 1)], dtype=np.int64)


def _with_faces(part: Part, kept: Bools, turned: Bools) -> Part:
    """The part with the faces `kept`, reversed where `turned`; normals point to the fronts of their faces."""
    faces = np.where(turned[:, None], part.faces[:, ::-1], part.faces)[kept]
    normals = part.normals
    if normals is not None:
        agreement = np.zeros(len(normals))
        fronts = face_normals(part.vertices[faces])
        np.add.at(agreement, faces, np.einsum("fkc,fc->fk", normals[faces], fronts))
        normals = np.where(agreement[:, None] < 0, -normals, normals)
    return replace(
        part,
        faces=faces,
        normals=normals,
        face_colours=None if part.face_colours is None else part.face_colours[kept],
    )
