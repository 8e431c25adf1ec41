"""Light sources: as published, and those that are hard to predict.

Without a ceiling, half of the scenes have the published lights: one to eight small white triangles above the scene. The
other half have one to three lights of any size, nearer, on all sides and down to grazing height, so that walls and
objects stand in front of many of them. In rooms, seven of ten scenes have a panel under the ceiling, the others one to
three small lamps anywhere in the upper half.
"""

import numpy as np
from trimesh.transformations import random_rotation_matrix

from rfcli.scene.geometry import face_normals
from rfcli.synth.materials import light_material
from rfcli.synth.pieces import Floats, Piece
from rfcli.synth.shapes.grid import grid_mesh, rectangle

MAX_LIGHTS = 8  # per scene
MAX_NEAR_LIGHTS = 3  # per scene of near lights, and per room with lamps
PUBLISHED_SHARE = 0.5  # of the scenes without a ceiling
PANEL_SHARE = 0.7  # of the rooms
MIN_HEIGHT = -0.35  # of near lights; the floor is at -0.5
MAX_EDGE_ON_COSINE = 0.5  # between a light's normal and the direction to the scene; others are rotated again
PUBLISHED_DISTANCE = 2.4  # mean distance and size of published lights, which give near lights their brightness
PUBLISHED_SIZE = 0.1

# The published light, before scaling.
TRIANGLE = np.array([(-0.025, 0.025, 0.025), (0.025, -0.025, 0.025), (0.025, 0.025, -0.025)])


def random_lights(rng: np.random.Generator, name: str) -> list[Piece]:
    """Lights of a scene on the named template."""
    if name == "room":
        return [ceiling_panel(rng)] if rng.random() < PANEL_SHARE else room_lamps(rng)
    return published_lights(rng) if rng.random() < PUBLISHED_SHARE else near_lights(rng)


def published_lights(rng: np.random.Generator) -> list[Piece]:
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


def near_lights(rng: np.random.Generator) -> list[Piece]:
    """One to three lights 0.8 to 2.2 away, on all sides, from grazing to overhead, 0.04 to 0.45 wide.

    Together they light an unoccluded scene 0.2 to 1 times as much as published lights do.
    """
    count = int(rng.integers(1, MAX_NEAR_LIGHTS + 1))
    shares = rng.uniform(0.3, 1.7, count)
    total = np.exp(rng.uniform(np.log(900), np.log(5000)))
    pieces = []
    for share in shares / shares.sum():
        height, turn = rng.uniform(-0.05, 1.0), rng.uniform(0, 2 * np.pi)
        flat = np.sqrt(1 - height**2)
        distance = rng.uniform(0.8, 2.2)
        position = distance * np.array([flat * np.cos(turn), flat * np.sin(turn), height])
        position[2] = max(position[2], MIN_HEIGHT)
        size = np.exp(rng.uniform(np.log(0.04), np.log(0.45)))
        radiance = 0.2 * total * share * (distance / PUBLISHED_DISTANCE) ** 2 * (PUBLISHED_SIZE / size) ** 2
        pieces.append(_facing_light(rng, position, size, radiance, np.zeros(3)))
    return pieces


def room_lamps(rng: np.random.Generator) -> list[Piece]:
    """One to three lamps 0.03 to 0.12 wide in the upper half of a room."""
    count = int(rng.integers(1, MAX_NEAR_LIGHTS + 1))
    pieces = []
    for _ in range(count):
        position = np.array([*rng.uniform(-0.38, 0.38, 2), rng.uniform(0.0, 0.46)])
        size = rng.uniform(0.03, 0.12)
        radiance = rng.uniform(0.5, 1.5) / count / size**2
        pieces.append(_facing_light(rng, position, size, radiance, rng.uniform(-0.5, 0.5, 3)))
    return pieces


def _facing_light(rng: np.random.Generator, position: Floats, size: float, radiance: float, target: Floats) -> Piece:
    """A square of two triangles or a triangle of similar area, rotated at random, but not edge-on to the target."""
    square = np.array([(-0.5, -0.5, 0.0), (0.5, -0.5, 0.0), (0.5, 0.5, 0.0), (-0.5, 0.5, 0.0)]) * size
    corners = square[[[0, 1, 2], [0, 2, 3]]] if rng.random() < 0.5 else 1.3 * square[[[0, 1, 2]]]
    direction = position - target
    while True:
        rotation = random_rotation_matrix(rng.random(3))[:3, :3]
        if abs(rotation[:, 2] @ direction) > MAX_EDGE_ON_COSINE * np.linalg.norm(direction):
            break
    return _light_piece(corners @ rotation.T + position, radiance)


def ceiling_panel(rng: np.random.Generator) -> Piece:
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
