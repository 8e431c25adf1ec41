"""A scene in fewer triangles: each part of it decimated by quadric error, its colours and its shading kept."""

from dataclasses import replace
from functools import cached_property

import fast_simplification
import numpy as np
import numpy.typing as npt
import trimesh
from scipy.spatial import cKDTree

from rfcli.scene import TriangleScene
from rfcli.scene.shading import flat, shading_groups, smooth
from rfcli.synth.shapes.budget import decimate

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Arrays = tuple[Singles, Singles, Singles]  # corners, normals, material
FEWEST = 4  # faces of a part, as a closed one needs
FLAT = 1e-3  # how far shading normals may be from a flat triangle's own


def decimated(scene: TriangleScene, triangles: int) -> TriangleScene:
    """The scene with `triangles` triangles or fewer, or as few as its parts can be brought down to.

    Parts are triangles that share edges, by the place of their corners; each keeps its share of the triangles, open
    ones at least their border. A new triangle takes the material of the old one whose centre is nearest, and is shaded
    flat or smooth as that part was; a pattern of colours finer than the new triangles is lost.
    Emitters stay as they are: light has a place and a direction.
    """
    fixed = np.flatnonzero(scene.emitters)
    budget, solid = triangles - len(fixed), np.flatnonzero(~scene.emitters)
    if len(scene) <= triangles or len(solid) == 0:
        return scene
    label = _parts(scene.triangles[solid])
    together = solid[np.argsort(label, kind="stable")]
    parts = [Part(scene, members) for members in np.split(together, np.cumsum(np.bincount(label))[:-1])]
    pieces: list[Arrays] = []
    left, size = budget, len(solid)
    for part in sorted(parts, key=lambda part: part.closed):  # open ones first: their borders stay, whatever is asked
        pieces.append(part.decimated(max(FEWEST, left * len(part.members) // size)))
        left, size = left - len(pieces[-1][0]), size - len(part.members)
    columns = zip(*pieces, (scene.triangles[fixed], scene.vn[fixed], scene.material[fixed]), strict=True)
    corners, normals, material = (np.concatenate(arrays).astype(np.float32) for arrays in columns)
    return replace(scene, triangles=corners, vn=normals, material=material)


def _welded(corners: Singles) -> trimesh.Trimesh:
    """Triangles [N, 3, 3] as a mesh whose corners are one vertex where they are at one place."""
    vertices, index = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    return trimesh.Trimesh(vertices.astype(np.float64), index.reshape(-1, 3), process=False)


def _parts(corners: Singles) -> npt.NDArray[np.int64]:
    """[N] the number of each triangle's part."""
    return shading_groups(_welded(corners))


class Part:
    """Triangles `members` of a scene, connected by their edges."""

    def __init__(self, scene: TriangleScene, members: npt.NDArray[np.int64]) -> None:
        self.members = members
        self.old: Arrays = scene.triangles[members], scene.vn[members], scene.material[members]

    @cached_property
    def mesh(self) -> trimesh.Trimesh:
        return _welded(self.old[0])

    @cached_property
    def closed(self) -> bool:
        return len(self.members) >= FEWEST and bool(self.mesh.is_watertight)

    def decimated(self, faces: int) -> Arrays:
        """Corners [M, 3, 3], vertex normals [M, 3, 3] and material [M, 13], M <= faces where that is possible; as it
        was where that is no less."""
        old, vn, material = self.old
        if faces >= len(self.members):
            return self.old
        mesh = decimate(self.mesh, faces) if self.closed else _within_border(self.mesh, faces)
        if not 0 < len(mesh.faces) < len(self.members):
            return self.old
        own = _face_normals(old)
        facing = np.where((vn.mean(1) * own).sum(-1) < 0, -1.0, 1.0)  # normals may point to where the winding does not
        is_flat = float(np.median(np.abs(vn - (own * facing[:, None])[:, None]).max((1, 2)))) < FLAT
        shaded = flat(mesh) if is_flat else smooth(mesh)
        corners = np.asarray(shaded.triangles)
        _, nearest = cKDTree(old.mean(1)).query(corners.mean(1))
        normals = np.asarray(shaded.vertex_normals)[shaded.faces] * facing[nearest][:, None, None]
        return corners.astype(np.float32), normals.astype(np.float32), material[nearest]


def _within_border(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """An open mesh decimated, but for its border: a wall must not shrink, and let light through."""
    points, fewer = fast_simplification.simplify(
        np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int32), target_count=faces, preserve_border=True
    )
    return trimesh.Trimesh(points, fewer, process=False)


def _face_normals(corners: Singles) -> Floats:
    """[N, 3] unit normals by the winding; zero for triangles without area."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).astype(np.float64)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30))
