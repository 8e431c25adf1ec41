"""Light sources: white triangles around the scene, as published, and a panel under the ceiling of a room."""

import numpy as np
from trimesh.transformations import random_rotation_matrix

from rfcli.scene.geometry import face_normals
from rfcli.synth.materials import light_material
from rfcli.synth.pieces import Floats, Piece
from rfcli.synth.shapes.grid import grid_mesh, rectangle

MAX_LIGHTS = 8  # per scene

# The published light, before scaling.
TRIANGLE = np.array([(-0.025, 0.025, 0.025), (0.025, -0.025, 0.025), (0.025, 0.025, -0.025)])


def random_lights(rng: np.random.Generator, name: str) -> list[Piece]:
    """Lights of a scene on the named template."""
    if name == "room":
        return [_ceiling_panel(rng)]
    return _light_triangles(rng)


def _light_triangles(rng: np.random.Generator) -> list[Piece]:
    """One to eight triangles at distance 2.1 to 2.7 in the upper half, scaled by 2 to 2.5; radiances sum to 2500..5000.

    As published, except that lights with their edge towards the scene are rotated again until they illuminate it.
    """
    count = int(rng.integers(1, MAX_LIGHTS + 1))
    shares = rng.uniform(0.5, 1.5, count)
    radiances = rng.uniform(2500, 5000) * shares / shares.sum()
    pieces = []
    for radiance in radiances:
        height, turn = rng.uniform(0.2, 1.0), rng.uniform(0, 2 * np.pi)
        flat = np.sqrt(1 - height**2)
        position = rng.uniform(2.1, 2.7) * np.array([flat * np.cos(turn), flat * np.sin(turn), height])
        normal = np.array([1.0, 1.0, 1.0]) / 3**0.5  # of TRIANGLE
        while True:
            rotation = random_rotation_matrix(rng.random(3))[:3, :3]
            if abs(rotation @ normal @ position) > 0.6 * np.linalg.norm(position):
                break
        corners = (TRIANGLE * rng.uniform(2.0, 2.5, 3)) @ rotation.T + position
        pieces.append(_light_piece(corners[None], radiance))
    return pieces


def _ceiling_panel(rng: np.random.Generator) -> Piece:
    """A rectangle of 2 or 4 triangles just below the ceiling, facing down.

    It lights the centre of the scene about as much as the published triangles do.
    """
    width, depth = rng.uniform(0.2, 0.45, 2)
    mesh = grid_mesh(rectangle(width, depth, int(rng.integers(1, 3)), 1)[:, ::-1])
    reach = 0.35 - max(width, depth) / 2
    mesh.apply_translation([*rng.uniform(-reach, reach, 2), 0.5 - rng.uniform(0.005, 0.03)])
    return _light_piece(np.asarray(mesh.triangles), rng.uniform(1.0, 2.8) / (width * depth))


def _light_piece(corners: Floats, radiance: float) -> Piece:
    """Emitting triangles [N, 3, 3] with flat normals."""
    normals = np.repeat(face_normals(corners)[:, None], 3, axis=1)
    return Piece(corners, normals, light_material(radiance, len(corners)))
