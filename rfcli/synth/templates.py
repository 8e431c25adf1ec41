"""Templates, the backgrounds of scenes: the four published ones and a closed room."""

from dataclasses import dataclass

import numpy as np
import trimesh
from trimesh.transformations import euler_matrix, rotation_matrix

from rfcli.synth.materials import paint_material, random_wall_material, saturated_color
from rfcli.synth.pieces import Floats, Piece
from rfcli.synth.shapes.grid import grid_mesh, rectangle

FLOOR = -0.5  # height
WALLS = {"plane": 0, "plane and wall": 1, "plane and two walls": 2, "box": 3, "room": 4}  # besides the floor
SHARES = {"plane": 0.15, "plane and wall": 0.18, "plane and two walls": 0.2, "box": 0.23, "room": 0.24}  # probabilities

# Azimuth of the side on which each wall stands: back (+y), right (+x), left (-x), in the order of the templates.
SIDES = (np.pi / 2, 0.0, np.pi)
BACK, RIGHT, LEFT = range(3)

# Range of camera directions: azimuth (centre, half width), elevation (low, high), degrees.
VIEW_RANGES = {
    "plane": ((-90.0, 180.0), (4.0, 60.0)),
    "plane and wall": ((-90.0, 65.0), (3.0, 50.0)),
    "plane and two walls": ((-135.0, 40.0), (3.0, 45.0)),
    "box": ((-90.0, 28.0), (-4.0, 45.0)),
    "room": ((-90.0, 16.0), (-9.0, 9.0)),
}


@dataclass(frozen=True)
class Template:
    """A background, and the directions from which its open side is visible.

    azimuth: centre and half width of the camera's directions around +z, degrees from +x; elevation: low, high.
    """

    name: str
    pieces: tuple[Piece, ...]
    azimuth: tuple[float, float]
    elevation: tuple[float, float]


def random_template(rng: np.random.Generator, triangles: int) -> Template:
    """A background whose walls use at most half of `triangles`."""
    names = [name for name in SHARES if wall_cells(name, triangles) > 0]
    shares = np.array([SHARES[name] for name in names])
    name = names[rng.choice(len(names), p=shares / shares.sum())]
    cells = wall_cells(name, triangles)
    walls = _room_walls(cells) if name == "room" else _published_walls(rng, WALLS[name], cells)
    azimuth, elevation = VIEW_RANGES[name]
    return Template(name, _painted(rng, walls, name), azimuth, elevation)


def wall_cells(name: str, triangles: int) -> int:
    """Cells along a wall's side: the largest of 8 (as published), 6, 4, 3 with which walls use half of `triangles`.

    0 if none of them fits.
    """
    walls = WALLS[name] + 1
    return next((c for c in (8, 6, 4, 3) if walls * 2 * c * c <= triangles / 2), 0)


def _published_walls(rng: np.random.Generator, walls: int, cells: int) -> list[trimesh.Trimesh]:
    """Floor and up to three walls at distance 0.5, scaled by 0.9 to 1.35 and rotated by up to 10 degrees."""
    meshes = [_floor(cells, *rng.uniform(0.95, 1.35, 2))]
    for side in SIDES[:walls]:
        width, height = rng.uniform(0.9, 1.35, 2)
        mesh = _wall(cells, side, width, height)
        mesh.apply_transform(rotation_matrix(np.radians(rng.uniform(-10, 10)), [0, 0, 1], mesh.bounds.mean(axis=0)))
        meshes.append(mesh)
    return meshes


def _room_walls(cells: int) -> list[trimesh.Trimesh]:
    """Floor, back, right and left walls and ceiling of the unit cube, open towards -y."""
    ceiling = _floor(cells, 1.0, 1.0)
    ceiling.apply_transform(euler_matrix(np.pi, 0, 0))
    return [_floor(cells, 1.0, 1.0), *(_wall(cells, side, 1.0, 1.0) for side in SIDES), ceiling]


def _floor(cells: int, width: float, depth: float) -> trimesh.Trimesh:
    """A horizontal plane at the height of the floor, facing up."""
    mesh = grid_mesh(rectangle(width, depth, cells, cells))
    mesh.apply_translation([0, 0, FLOOR])
    return mesh


def _wall(cells: int, side: float, width: float, height: float) -> trimesh.Trimesh:
    """A vertical plane on the floor at azimuth `side`, 0.5 from the vertical axis and facing it."""
    mesh = grid_mesh(rectangle(width, height, cells, cells))
    mesh.apply_transform(euler_matrix(np.pi / 2, 0, 0))  # vertical, with the normal -y of the back wall
    mesh.apply_translation([0, 0.5, FLOOR + height / 2])
    mesh.apply_transform(rotation_matrix(side - np.pi / 2, [0, 0, 1]))
    return mesh


def _painted(rng: np.random.Generator, meshes: list[trimesh.Trimesh], name: str) -> tuple[Piece, ...]:
    """Walls with materials: a room and a third of the boxes have saturated sides, like the Cornell box."""
    if name == "room" or (name == "box" and rng.random() < 1 / 3):
        pale = rng.uniform(0.4, 0.75) * (1 - rng.uniform(0, 0.12, 3))
        colors: list[Floats] = [pale] * len(meshes)
        if name == "box" or rng.random() < 0.75:
            colors[1 + RIGHT], colors[1 + LEFT] = saturated_color(rng), saturated_color(rng)
        if rng.random() < 0.2:
            colors[1 + BACK] = saturated_color(rng)
        return tuple(
            Piece.from_mesh(mesh, paint_material(color, len(mesh.faces)), smooth=True)
            for mesh, color in zip(meshes, colors, strict=True)
        )
    return tuple(Piece.from_mesh(mesh, random_wall_material(rng, len(mesh.faces)), smooth=True) for mesh in meshes)
