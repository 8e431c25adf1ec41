"""A backdrop for a mesh without a scene: floor, wall, light and camera as in the published templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import trimesh

from rfcli.errors import InputError
from rfcli.scene.formats.appearance import Materials
from rfcli.scene.formats.contents import Contents, Floats, Indices
from rfcli.scene.formats.detail import MIN_COVERAGE, painted
from rfcli.scene.formats.faces import outward_faces, welded_mesh
from rfcli.scene.formats.surface import NORMALS, surface_of
from rfcli.scene.formats.transfer import transferred
from rfcli.scene.formats.upright import vertical_axis, with_z_up
from rfcli.scene.geometry import face_normals, look_at
from rfcli.scene.mesh import remesh
from rfcli.scene.shading import corner_normals, smooth, smooth_corner_normals
from rfcli.scene.triangle_scene import (
    DIFFUSE,
    EMISSION,
    FLAT_NORMAL,
    NORMAL,
    ROUGHNESS,
    SPECULAR,
    FloatArray,
    TriangleScene,
)

Up = Literal["auto", "y", "z"]

FLOOR_HEIGHT = -0.5
BACKDROP_SIZE = 1.35  # side of the floor, width and height of the wall
BACKDROP_CELLS = 8  # along each side of the floor and of the wall, as published
MIN_FACES = 256  # of a mesh: as many as the smallest published objects have
MESH_SIZE = 0.7  # longest side of the mesh on the backdrop
MESH_RADIUS = 0.45  # largest distance of its vertices from the vertical axis: in front of the wall
FLOOR_GAP = 1e-3  # between floor and mesh, so that the mesh's lowest faces do not coincide with the floor

CAMERA, TARGET, FOV = (-0.5, -1.65, 0.3), (0.0, 0.0, -0.16), 38.0

# One published light: a triangle scaled by 2 to 2.5, 2.1 to 2.7 away; radiances of a scene sum to 2500..5000.
LIGHT = 2.25 * np.array([(-0.025, 0.025, 0.025), (0.025, -0.025, 0.025), (0.025, 0.025, -0.025)])
LIGHT_POSITION = 2.3 * np.array([-0.35, -0.55, 0.76])
LIGHT_RADIANCE = 2500.0


@dataclass(frozen=True, eq=False)
class PlacedFile:
    """A scene made from a file of another program.

    Attributes:
        scene: The scene.
        notes: Sentences about what was decimated, approximated or left out.
        mapping: Sentences about what became what, for those who ask.
        objects: Name and triangles of each part; empty if they were decimated together.
    """

    scene: TriangleScene
    notes: tuple[str, ...] = ()
    mapping: tuple[str, ...] = ()
    objects: Sequence[tuple[str, Indices]] = ()


def on_backdrop(
    contents: Contents, suffix: str, up: Up = "auto", max_triangles: int = 4096, detail: int | None = None
) -> PlacedFile:
    """Place the meshes of a file on a lit backdrop: standing on the floor, smooth up to a crease of 30 degrees.

    Args:
        contents: What the file says; its cameras and lights are not used. Parts without colours are beige.
        suffix: Of the file; tells the usual vertical axis.
        up: Vertical axis of the mesh. "auto": y for glTF, as it specifies; y for .obj and z for others, unless the mesh
            stands clearly better on the other one.
        max_triangles: Limit for the whole scene; a mesh with more faces is decimated by quadric error, as far as it
            can be.
        detail: Cut triangles in which the material varies, up to this number of triangles of the mesh.

    Returns:
        The scene, with notes.

    Raises:
        InputError: The file has no faces with an area.
    """
    surroundings = backdrop_pieces()
    budget = max(max_triangles, detail or 0) - sum(len(triangles) for triangles, _ in surroundings)
    if budget < MIN_FACES:
        raise InputError(f"`max_triangles` {max_triangles} leaves {budget} for the mesh; give at least 1024.")
    axis, reason = vertical_axis(contents, suffix) if up == "auto" else (up, "")
    contents = outward_faces(with_z_up(contents, axis), seen_from=np.subtract(CAMERA, TARGET))
    notes = [*([reason] if reason else []), *contents.notes]
    if not contents.parts:
        raise InputError("the mesh has no faces with an area; export it again.")
    mesh = welded_mesh(contents)
    fewer, said = within_budget(mesh, budget)
    notes += said
    if len(fewer.faces) == len(mesh.faces):
        surface = surface_of(contents.parts, smooth_corner_normals(mesh))
        surface, material = painted(surface, min(detail, budget) if detail else detail, notes)
        part = surface.part
        triangles, normals = on_floor(surface.triangles), surface.corners[..., NORMALS]
    else:
        shaded = smooth(fewer)
        triangles, normals = np.asarray(shaded.triangles), corner_normals(shaded)
        material, there = _material_of(contents, mesh, triangles)
        part, triangles, normals = np.empty(0, np.int64), on_floor(triangles)[there], normals[there]
    pieces = [(triangles, normals, material)] + [
        (corners, np.repeat(face_normals(corners)[:, None], 3, axis=1), np.repeat(row, len(corners), axis=0))
        for corners, row in surroundings
    ]
    corners, vn, rows = (np.concatenate(arrays).astype(np.float32) for arrays in zip(*pieces, strict=True))
    pose, fov = look_at(CAMERA, TARGET)[None].astype(np.float32), np.array([FOV], dtype=np.float32)
    scene = TriangleScene(corners, vn, rows, pose, fov)
    names = [entry.name or f"part {number}" for number, entry in enumerate(contents.parts)]
    objects = [(name, np.flatnonzero(part == number)) for number, name in enumerate(names) if len(part)]
    if objects:
        objects.append(("backdrop", np.arange(len(triangles), len(scene))))
    return PlacedFile(scene, tuple(notes), (), objects)


def backdrop_pieces() -> list[tuple[FloatArray, FloatArray]]:
    """Triangles [N, 3, 3] and material [1, 13] of floor, wall and light."""
    size, floor = BACKDROP_SIZE, FLOOR_HEIGHT
    return [
        (grid((size, 0, 0), (0, size, 0), (0, 0, floor)), material_row((0.6, 0.6, 0.58))),
        (grid((size, 0, 0), (0, 0, size), (0, 0.5, floor + size / 2)), material_row((0.4, 0.5, 0.6))),
        (light()[None], material_row((1.0, 1.0, 1.0), LIGHT_RADIANCE)),
    ]


def _material_of(contents: Contents, mesh: trimesh.Trimesh, coarse: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Material of the triangles of a decimated mesh that are there [M, 13], and which of all these are."""
    surface = surface_of(contents.parts)
    look = Materials(surface.parts).appearance(surface)
    low, high = (f(np.asarray(mesh.triangles).reshape(-1, 3), axis=0) for f in (np.min, np.max))
    own_low, own_high = (f(surface.triangles.reshape(-1, 3), axis=0) for f in (np.min, np.max))
    scale = (high - low).max() / (own_high - own_low).max()
    at_mesh = (surface.triangles - (own_low + own_high) / 2) * scale + (low + high) / 2
    values = transferred(np.column_stack([look.material, look.coverage]), at_mesh, coarse)
    there = values[:, -1] >= MIN_COVERAGE
    return values[there, :-1], there


def within_budget(mesh: trimesh.Trimesh, budget: int) -> tuple[trimesh.Trimesh, list[str]]:
    """The mesh with at most `budget` faces, or as few as decimation leaves, and notes for the user."""
    faces = len(mesh.faces)
    if faces > budget:
        fewer = remesh(mesh, budget)
        if 0 < len(fewer.faces) <= budget:
            return fewer, [f"{faces:,} faces decimated to {len(fewer.faces):,}; at most {budget:,} fit."]
        return mesh, [f"the {faces:,} faces share too few vertices to be decimated to {budget:,}, all of them stay."]
    if faces < MIN_FACES:
        return mesh, [f"the mesh has only {faces} faces, and models compute light per triangle; subdivide it."]
    return mesh, []


def on_floor(triangles: Floats) -> Floats:
    """Triangles [N, 3, 3] scaled and moved to the centre of the floor."""
    points = triangles.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    foot = np.array([*(low + high)[:2] / 2, low[2]])
    radius = np.linalg.norm(points[:, :2] - foot[:2], axis=1).max()
    scale = min(MESH_SIZE / (high - low).max(), MESH_RADIUS / max(radius, 1e-9))
    return np.asarray((triangles - foot) * scale + (0, 0, FLOOR_HEIGHT + FLOOR_GAP))


def grid(along: tuple[float, ...], across: tuple[float, ...], centre: tuple[float, ...]) -> FloatArray:
    """Triangles [2 BACKDROP_CELLS^2, 3, 3] of the rectangle with two sides around `centre`; front: along x across."""
    i, j = (axis[..., None] for axis in np.indices((BACKDROP_CELLS, BACKDROP_CELLS)))
    a, b, c, d = (
        np.asarray(centre)
        + ((i + u) / BACKDROP_CELLS - 0.5) * np.asarray(along)
        + ((j + v) / BACKDROP_CELLS - 0.5) * np.asarray(across)
        for u, v in ((0, 0), (1, 0), (1, 1), (0, 1))
    )
    return np.stack([np.stack([a, b, c], -2), np.stack([a, c, d], -2)], 2).reshape(-1, 3, 3).astype(np.float32)


def light() -> FloatArray:
    """Corners [3, 3] of the light at LIGHT_POSITION, facing the origin."""
    towards = -LIGHT_POSITION / np.linalg.norm(LIGHT_POSITION)
    turn = trimesh.geometry.align_vectors([1, 1, 1], towards)[:3, :3]  # type: ignore[no-untyped-call]
    corners: FloatArray = (LIGHT @ turn.T + LIGHT_POSITION).astype(np.float32)
    return corners


def material_row(diffuse: tuple[float, float, float], radiance: float = 0.0) -> FloatArray:
    """[1, 13] material: matte with a weak specular lobe, or a light."""
    row = np.zeros((1, 13), dtype=np.float32)
    row[0, DIFFUSE], row[0, SPECULAR], row[0, ROUGHNESS] = diffuse, 0.0 if radiance else 0.03, 0.6
    row[0, NORMAL], row[0, EMISSION] = FLAT_NORMAL, radiance
    return row
