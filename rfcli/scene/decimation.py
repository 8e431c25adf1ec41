"""A scene in fewer triangles: each part is decimated by quadric error and keeps its colours and its shading."""

from dataclasses import replace
from functools import cached_property

import fast_simplification
import numpy as np
import numpy.typing as npt
import trimesh
from scipy.spatial import cKDTree

from rfcli.scene.geometry import face_normals
from rfcli.scene.mesh_decimation import decimate
from rfcli.scene.shading import flat, shading_groups, smooth
from rfcli.scene.triangle_scene import TriangleScene

Singles = npt.NDArray[np.float32]
Arrays = tuple[Singles, Singles, Singles]  # corners, normals, material
MIN_FACES = 4  # of a part: a closed mesh has at least these
MAX_FLAT_DEVIATION = 1e-3  # of shading normals from the triangle's own normal, for a part that is shaded flat


def decimated(scene: TriangleScene, triangles: int) -> TriangleScene:
    """Reduce a scene to a triangle count.

    Parts are triangles that share edges, whose corners are at the same positions. Each part keeps its share of the
    triangles; open ones keep at least their border. A new triangle takes the material of the old one whose centre is
    nearest, and each part stays flat or smooth. A pattern of colours finer than the new triangles is lost. Emitters
    stay unchanged, because position and orientation matter for light.

    Args:
        scene: Any scene.
        triangles: Maximum triangle count of the result.

    Returns:
        The scene with that many triangles or fewer; with more, if its parts cannot be decimated that far.
    """
    fixed = np.flatnonzero(scene.emitters)
    budget, solid = triangles - len(fixed), np.flatnonzero(~scene.emitters)
    if len(scene) <= triangles or len(solid) == 0:
        return scene
    label = shading_groups(_welded(scene.triangles[solid]))
    by_part = solid[np.argsort(label, kind="stable")]
    parts = [_Part(scene, members) for members in np.split(by_part, np.cumsum(np.bincount(label))[:-1])]
    pieces: list[Arrays] = []
    left, size = budget, len(solid)
    for part in sorted(parts, key=lambda part: part.closed):  # open ones first: their borders stay at any budget
        pieces.append(part.decimated(max(MIN_FACES, left * len(part.members) // size)))
        left, size = left - len(pieces[-1][0]), size - len(part.members)
    columns = zip(*pieces, (scene.triangles[fixed], scene.vn[fixed], scene.material[fixed]), strict=True)
    corners, normals, material = (np.concatenate(arrays).astype(np.float32) for arrays in columns)
    return replace(scene, triangles=corners, vn=normals, material=material)


class _Part:
    """Triangles `members` of a scene, connected by their edges."""

    def __init__(self, scene: TriangleScene, members: npt.NDArray[np.int64]) -> None:
        self.members = members
        self._arrays: Arrays = scene.triangles[members], scene.vn[members], scene.material[members]

    @cached_property
    def _mesh(self) -> trimesh.Trimesh:
        return _welded(self._arrays[0])

    @cached_property
    def closed(self) -> bool:
        return len(self.members) >= MIN_FACES and bool(self._mesh.is_watertight)

    def decimated(self, faces: int) -> Arrays:
        """Corners [M, 3, 3], vertex normals [M, 3, 3] and material [M, 13], with M <= faces if that is possible.

        The part is unchanged if decimation does not make it smaller.
        """
        corners, vn, material = self._arrays
        if faces >= len(self.members):
            return self._arrays
        mesh = decimate(self._mesh, faces) if self.closed else _decimated_within_border(self._mesh, faces)
        if not 0 < len(mesh.faces) < len(self.members):
            return self._arrays
        face_normal = face_normals(corners)
        side = np.where((vn.mean(1) * face_normal).sum(-1) < 0, -1.0, 1.0)  # normals may be opposite to the winding
        deviation = np.abs(vn - (face_normal * side[:, None])[:, None]).max((1, 2))
        shaded = flat(mesh) if float(np.median(deviation)) < MAX_FLAT_DEVIATION else smooth(mesh)
        new_corners = np.asarray(shaded.triangles)
        _, nearest = cKDTree(corners.mean(1)).query(new_corners.mean(1))
        new_normals = np.asarray(shaded.vertex_normals)[shaded.faces] * side[nearest][:, None, None]
        return new_corners.astype(np.float32), new_normals.astype(np.float32), material[nearest]


def _welded(corners: Singles) -> trimesh.Trimesh:
    """Triangles [N, 3, 3] as a mesh in which corners at one position are one vertex."""
    vertices, index = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    return trimesh.Trimesh(vertices.astype(np.float64), index.reshape(-1, 3), process=False)


def _decimated_within_border(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """An open mesh decimated with its border unchanged: a wall that shrinks would let light through."""
    points, fewer = fast_simplification.simplify(
        np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int32), target_count=faces, preserve_border=True
    )
    return trimesh.Trimesh(points, fewer, process=False)
