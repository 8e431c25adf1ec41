"""One to three objects that stand, lie or float above the floor without overlapping."""

from itertools import permutations

import numpy as np
import trimesh
from trimesh.transformations import random_rotation_matrix, rotation_matrix

from rfcli.scene.geometry import intersect
from rfcli.synth.candidates import RejectedError
from rfcli.synth.materials import random_material
from rfcli.synth.own_meshes import MIN_OWN_FACES, OWN_SHARE, OwnMeshes, own_shape
from rfcli.synth.pieces import Floats, Piece
from rfcli.synth.shapes import random_shape
from rfcli.synth.templates import FLOOR

SIZE_RANGES = {1: (0.35, 0.75), 2: (0.3, 0.6), 3: (0.25, 0.5)}  # longest side, by number of objects
MAX_OVERLAP = 0.05  # share of an object's corners that may lie inside another object
MAX_EXTENT = 0.47  # distance from the x and y axes that objects stay within
MAX_TESTED_CORNERS = 128  # per object, in the overlap test
TEST_DIRECTION = np.array([0.2718, 0.1414, 0.9517])  # of the rays of the overlap test; parallel to no typical surface


def random_objects(rng: np.random.Generator, faces: int, meshes: OwnMeshes | None = None) -> list[Piece]:
    """Objects with at most `faces` faces in total, apart from each other, above the floor and inside the walls.

    With `meshes`, half of the objects with enough faces are made from them, in their own colours if they have any.
    Raises RejectedError if one of the meshes cannot be decimated to its budget, or if objects overlap.
    """
    most = min(3, faces // 40)
    count = int(rng.integers(1, max(1, most) + 1))
    shares = rng.uniform(0.6, 1.6, count)
    placed: list[Floats] = []  # x, y, radius of each object, seen from above
    pieces = []
    for share in shares / np.cumsum(shares[::-1])[::-1]:  # of the remaining faces: a shape may use less than its share
        mesh, own_material = _random_mesh(rng, max(20, int(share * faces)), meshes)
        faces -= len(mesh.faces)
        _rotate(rng, mesh)
        mesh.apply_scale(rng.uniform(*SIZE_RANGES[count]))
        _place(rng, mesh, placed)
        material, smooth = random_material(rng, len(mesh.faces)), bool(rng.random() < 0.5)
        if own_material is not None:
            material = own_material
        pieces.append(Piece.from_mesh(mesh, material, smooth, two_sided=not mesh.is_watertight))
    if max_overlap(pieces) > MAX_OVERLAP:
        raise RejectedError("objects in one another")
    return pieces


def _random_mesh(
    rng: np.random.Generator, faces: int, meshes: OwnMeshes | None
) -> tuple[trimesh.Trimesh, Floats | None]:
    """A procedural shape, or one of the user's meshes, with the material [F, 13] of its file if it has any."""
    if meshes is not None and faces >= MIN_OWN_FACES and rng.random() < OWN_SHARE:
        own = own_shape(rng, meshes, faces)
        return own.mesh, own.material
    return random_shape(rng, faces), None


def _rotate(rng: np.random.Generator, mesh: trimesh.Trimesh) -> None:
    """Rotates the mesh in place: about the vertical axis, or for a third of the objects in any way."""
    if rng.random() < 1 / 3:
        mesh.apply_transform(random_rotation_matrix(rng.random(3)))
    else:
        mesh.apply_transform(rotation_matrix(rng.uniform(0, 2 * np.pi), [0, 0, 1]))


def _place(rng: np.random.Generator, mesh: trimesh.Trimesh, placed: list[Floats]) -> None:
    """Moves the mesh to a free spot, on the floor or (one in five) floating, and adds it to `placed`."""
    low, high = mesh.bounds
    mesh.apply_translation([*-(low + high)[:2] / 2, -low[2]])
    for attempt in range(40):
        if attempt % 10 == 9:
            mesh.apply_scale(0.85)
        radius = float(np.linalg.norm(mesh.vertices[:, :2], axis=1).max())
        reach = max(0.0, MAX_EXTENT - radius)
        spot = np.array([*rng.uniform(-reach, reach, 2), radius])
        if all(np.linalg.norm(spot[:2] - other[:2]) > 0.9 * (radius + other[2]) for other in placed):
            break
    placed.append(spot)
    room_above = max(0.0, 0.45 - FLOOR - mesh.bounds[1, 2])
    lift = rng.uniform(0.0, min(0.3, room_above)) if rng.random() < 0.2 else 1e-3
    mesh.apply_translation([spot[0], spot[1], FLOOR + lift])


def max_overlap(objects: list[Piece]) -> float:
    """The largest share, 0 to 1, of one object's corners that lie inside another; sheets have no inside."""
    shares = [share_inside(_some_corners(a), b.triangles) for a, b in permutations(objects, 2) if not b.two_sided]
    return max(shares, default=0.0)


def _some_corners(piece: Piece) -> Floats:
    """About MAX_TESTED_CORNERS corners [P, 3], spread evenly over the piece's triangles."""
    corners = piece.triangles.reshape(-1, 3)
    return corners[:: max(1, len(corners) // MAX_TESTED_CORNERS)]


def share_inside(points: Floats, triangles: Floats) -> float:
    """Share of points [P, 3] inside closed surfaces [N, 3, 3] with outward winding.

    A ray from such a point leaves the surfaces more often than it enters them. This also holds where parts of the
    surface overlap, such as the boards of a table.
    """
    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    near = points[((points > low) & (points < high)).all(axis=1)]
    distance, facing = intersect(near, TEST_DIRECTION[None], triangles)
    leaves_minus_enters = -(np.isfinite(distance) * np.sign(facing)).sum(axis=1)
    return float((leaves_minus_enters > 0).sum() / len(points))
