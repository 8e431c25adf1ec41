"""Light sources: white triangles around the scene, as published, and the room's panel."""

import numpy as np
from trimesh.transformations import random_rotation_matrix

from rfcli.synth.materials import light
from rfcli.synth.parts import Floats, Piece
from rfcli.synth.shapes.grid import grid_mesh, rectangle

MOST_LIGHTS = 8  # of a scene

# The published light, before scaling.
TRIANGLE = np.array([(-0.025, 0.025, 0.025), (0.025, -0.025, 0.025), (0.025, 0.025, -0.025)])


def random_lights(rng: np.random.Generator, name: str) -> list[Piece]:
    """Lights of a scene on the named template."""
    if name == "room":
        return [panel(rng)]
    return triangles(rng)


def triangles(rng: np.random.Generator) -> list[Piece]:
    """One to eight triangles, 2.1 to 2.7 away in the upper half, scaled 2 to 2.5; radiances sum to 2500..5000.

    As published, but for lights that would turn their edge to the scene: those turn until they shine on it.
    """
    count = int(rng.integers(1, MOST_LIGHTS + 1))
    shares = rng.uniform(0.5, 1.5, count)
    radiances = rng.uniform(2500, 5000) * shares / shares.sum()
    pieces = []
    for radiance in radiances:
        height, turn = rng.uniform(0.2, 1.0), rng.uniform(0, 2 * np.pi)
        flat = np.sqrt(1 - height**2)
        place = rng.uniform(2.1, 2.7) * np.array([flat * np.cos(turn), flat * np.sin(turn), height])
        upright = np.array([1.0, 1.0, 1.0]) / 3**0.5  # normal of TRIANGLE
        while True:
            rotation = random_rotation_matrix(rng.random(3))[:3, :3]
            if abs(rotation @ upright @ place) > 0.6 * np.linalg.norm(place):
                break
        corners = (TRIANGLE * rng.uniform(2.0, 2.5, 3)) @ rotation.T + place
        pieces.append(lit(corners[None], radiance))
    return pieces


def panel(rng: np.random.Generator) -> Piece:
    """A rectangle of 2 or 4 triangles just below the ceiling, facing down, as bright in total as the triangles."""
    width, depth = rng.uniform(0.2, 0.45, 2)
    mesh = grid_mesh(rectangle(width, depth, int(rng.integers(1, 3)), 1)[:, ::-1])
    reach = 0.35 - max(width, depth) / 2
    mesh.apply_translation([*rng.uniform(-reach, reach, 2), 0.5 - rng.uniform(0.005, 0.03)])
    return lit(np.asarray(mesh.triangles), rng.uniform(1.0, 2.8) / (width * depth))


def lit(corners: Floats, radiance: float) -> Piece:
    """Flat triangles [N, 3, 3] that shine."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return Piece(corners, np.repeat(normal[:, None], 3, axis=1), light(radiance, len(corners)))
