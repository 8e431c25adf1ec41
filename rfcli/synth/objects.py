"""One to three objects that stand, lie or float above the floor."""

import numpy as np
import trimesh
from trimesh.transformations import random_rotation_matrix, rotation_matrix

from rfcli.synth.materials import random_material
from rfcli.synth.own_meshes import LEAST, SHARE, OwnMeshes, own_shape
from rfcli.synth.parts import Floats, Piece, piece
from rfcli.synth.penetration import worst_overlap
from rfcli.synth.rejection import RejectedError
from rfcli.synth.shapes import random_shape
from rfcli.synth.templates import FLOOR

SIZES = {1: (0.35, 0.75), 2: (0.3, 0.6), 3: (0.25, 0.5)}  # longest side, by number of objects
OVERLAP = 0.05  # share of an object that may lie inside another
EDGE = 0.47  # objects stay within this distance of the axes


def random_objects(rng: np.random.Generator, faces: int, meshes: OwnMeshes | None = None) -> list[Piece]:
    """Objects of together at most `faces` faces, apart from each other, above the floor and inside the walls.

    meshes: what half of them, where they have faces enough, are made of. Raises RejectedError where one
    of those has too many, or where objects stick in one another.
    """
    most = min(3, faces // 40)
    count = int(rng.integers(1, max(1, most) + 1))
    shares = rng.uniform(0.6, 1.6, count)
    placed: list[Floats] = []  # x, y, radius of each object from above
    pieces = []
    for share in shares / np.cumsum(shares[::-1])[::-1]:  # of what is left: a shape may need less than it is given
        mesh = an_object(rng, max(20, int(share * faces)), meshes)
        faces -= len(mesh.faces)
        tumble(rng, mesh)
        mesh.apply_scale(rng.uniform(*SIZES[count]))
        place(rng, mesh, placed)
        material, smooth = random_material(rng, len(mesh.faces)), bool(rng.random() < 0.5)
        pieces.append(piece(mesh, material, smooth, two_sided=not mesh.is_watertight))
    if worst_overlap(pieces) > OVERLAP:
        raise RejectedError("objects in one another")
    return pieces


def an_object(rng: np.random.Generator, faces: int, meshes: OwnMeshes | None) -> trimesh.Trimesh:
    """A procedural shape, or one of the user's meshes."""
    if meshes is not None and faces >= LEAST and rng.random() < SHARE:
        return own_shape(rng, meshes, faces)
    return random_shape(rng, faces)


def tumble(rng: np.random.Generator, mesh: trimesh.Trimesh) -> None:
    """Turn the mesh around the vertical; a third of them any way at all."""
    if rng.random() < 1 / 3:
        mesh.apply_transform(random_rotation_matrix(rng.random(3)))
    else:
        mesh.apply_transform(rotation_matrix(rng.uniform(0, 2 * np.pi), [0, 0, 1]))


def place(rng: np.random.Generator, mesh: trimesh.Trimesh, placed: list[Floats]) -> None:
    """Move the mesh to where it keeps clear of those `placed`, on the floor or (one in five) floating."""
    low, high = mesh.bounds
    mesh.apply_translation([*-(low + high)[:2] / 2, -low[2]])
    for attempt in range(40):
        if attempt % 10 == 9:
            mesh.apply_scale(0.85)
        radius = float(np.linalg.norm(mesh.vertices[:, :2], axis=1).max())
        reach = max(0.0, EDGE - radius)
        spot = np.array([*rng.uniform(-reach, reach, 2), radius])
        if all(np.linalg.norm(spot[:2] - other[:2]) > 0.9 * (radius + other[2]) for other in placed):
            break
    placed.append(spot)
    room_above = max(0.0, 0.45 - FLOOR - mesh.bounds[1, 2])
    lift = rng.uniform(0.0, min(0.3, room_above)) if rng.random() < 0.2 else 1e-3
    mesh.apply_translation([spot[0], spot[1], FLOOR + lift])
