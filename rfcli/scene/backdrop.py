"""A backdrop for a mesh without a scene: floor, wall, light and camera as in the published templates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import trimesh

from rfcli.errors import InputError
from rfcli.scene.formats.faces import outward_faces, welded_mesh
from rfcli.scene.formats.read import read_contents
from rfcli.scene.formats.upright import vertical_axis, with_z_up
from rfcli.scene.geometry import face_normals, look_at
from rfcli.scene.mesh import remesh
from rfcli.scene.shading import corner_normals, smooth
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


@dataclass(frozen=True)
class MeshOnBackdrop:
    """The scene, and notes for the user: the mesh was decimated, or it is coarse."""

    scene: TriangleScene
    notes: tuple[str, ...]


def place_on_backdrop(path: Path, up: Up = "auto", max_triangles: int = 4096) -> MeshOnBackdrop:
    """Read a mesh and place it on a lit backdrop: standing on the floor, matte, smooth up to a crease of 30 degrees.

    Args:
        path: A mesh file.
        up: Vertical axis of the mesh. "auto": y for glTF, as it specifies; y for .obj and z for others, unless the mesh
            stands clearly better on the other one.
        max_triangles: Limit for the whole scene; a mesh with more faces is decimated by quadric error, as far as it
            can be.

    Returns:
        The scene, with notes.

    Raises:
        InputError: The file cannot be read, or has no faces with an area.
    """
    size, floor = BACKDROP_SIZE, FLOOR_HEIGHT
    surroundings = [
        (grid((size, 0, 0), (0, size, 0), (0, 0, floor)), material_row((0.6, 0.6, 0.58))),
        (grid((size, 0, 0), (0, 0, size), (0, 0.5, floor + size / 2)), material_row((0.4, 0.5, 0.6))),
        (light()[None], material_row((1.0, 1.0, 1.0), LIGHT_RADIANCE)),
    ]
    budget = max_triangles - sum(len(triangles) for triangles, _ in surroundings)
    if budget < MIN_FACES:
        raise InputError(f"`max_triangles` {max_triangles} leaves {budget} for the mesh; give at least 1024.")
    contents = read_contents(path)
    axis, reason = vertical_axis(contents, path.suffix) if up == "auto" else (up, "")
    contents = outward_faces(with_z_up(contents, axis), seen_from=np.subtract(CAMERA, TARGET))
    notes = [f"{path}: {note}" for note in [*([reason] if reason else []), *contents.notes]]
    if not contents.parts:
        raise InputError(f"{path}: the mesh has no faces with an area; export it again.")
    mesh, decimation = within_budget(path, welded_mesh(contents), budget)
    notes += decimation
    place_on_floor(mesh)
    shaded = smooth(mesh)
    parts = [(np.asarray(shaded.triangles), material_row((0.75, 0.6, 0.45))), *surroundings]
    normals: list[npt.NDArray[np.floating]] = [
        corner_normals(shaded),
        *(np.repeat(face_normals(triangles)[:, None], 3, axis=1) for triangles, _ in surroundings),
    ]
    scene = TriangleScene(
        triangles=np.concatenate([triangles for triangles, _ in parts]).astype(np.float32),
        vn=np.concatenate(normals).astype(np.float32),
        material=np.concatenate([np.repeat(row, len(triangles), axis=0) for triangles, row in parts]),
        c2w=look_at(CAMERA, TARGET)[None].astype(np.float32),
        fov=np.array([FOV], dtype=np.float32),
    )
    return MeshOnBackdrop(scene, tuple(notes))


def within_budget(path: Path, mesh: trimesh.Trimesh, budget: int) -> tuple[trimesh.Trimesh, list[str]]:
    """The mesh with at most `budget` faces, or as few as decimation leaves, and notes for the user."""
    faces, notes = len(mesh.faces), []
    if faces > budget:
        fewer = remesh(mesh, budget)
        if 0 < len(fewer.faces) <= budget:
            mesh = fewer
            notes.append(f"{path}: {faces:,} faces decimated to {len(mesh.faces):,}; at most {budget:,} fit.")
        else:
            notes.append(
                f"{path}: the {faces:,} faces share too few vertices to be decimated to {budget:,}, all of them stay."
            )
    elif faces < MIN_FACES:
        notes.append(f"{path}: the mesh has only {faces} faces, and models compute light per triangle; subdivide it.")
    return mesh, notes


def place_on_floor(mesh: trimesh.Trimesh) -> None:
    """Scale the mesh and move it to the centre of the floor, in place."""
    low, high = mesh.bounds
    mesh.apply_translation([*-(low + high)[:2] / 2, -low[2]])
    radius = np.linalg.norm(mesh.vertices[:, :2], axis=1).max()
    mesh.apply_scale(min(MESH_SIZE / (high - low).max(), MESH_RADIUS / max(radius, 1e-9)))  # type: ignore[no-untyped-call]
    mesh.apply_translation([0, 0, FLOOR_HEIGHT + FLOOR_GAP])


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
