"""A lit stage for a mesh that comes without a scene: floor, wall, light and camera as in the published templates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import trimesh

from rfcli.errors import InputError
from rfcli.scene.geometry import face_normals, look_at
from rfcli.scene.mesh import read_mesh, remesh
from rfcli.scene.shading import smooth
from rfcli.scene.suffixes import MESHES
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

FLOOR = -0.5
CELLS = 8  # along a side of the floor and of the wall, as published
FEW = 256  # faces of the smallest published objects
LONGEST = 0.7  # longest side of the mesh on the stage
WIDEST = 0.45  # distance of its outermost vertex from the vertical axis: inside the wall
LIFT = 1e-3  # above the floor, so that faces which lie on it do not coincide with the floor's

CAMERA, TARGET, FOV = (-0.5, -1.65, 0.3), (0.0, 0.0, -0.16), 38.0

# One published light: a triangle scaled 2 to 2.5, 2.1 to 2.7 away; radiances of a scene sum to 2500..5000.
LIGHT = 2.25 * np.array([(-0.025, 0.025, 0.025), (0.025, -0.025, 0.025), (0.025, 0.025, -0.025)])
LIGHT_PLACE = 2.3 * np.array([-0.35, -0.55, 0.76])
RADIANCE = 2500.0


@dataclass(frozen=True)
class Staged:
    """The scene, and what its reader should know: that the mesh was decimated, or that it is coarse."""

    scene: TriangleScene
    notes: tuple[str, ...]


def stage(path: Path, up: Up = "auto", max_triangles: int = 4096) -> Staged:
    """The mesh of a file on the stage: scaled to stand on the floor, smooth up to a crease of 30 degrees, matte.

    up: the mesh's vertical axis; auto takes y for .glb, as glTF says, and z, the world's own, for all others.
    max_triangles: of the whole scene; a mesh with more faces is decimated by quadric error.
    Raises InputError where the file cannot be read or the mesh cannot be brought down to max_triangles.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such mesh; give a file that exists ({', '.join(MESHES)}).")
    surroundings = [
        (grid((1.35, 0, 0), (0, 1.35, 0), (0, 0, FLOOR)), rows((0.6, 0.6, 0.58))),
        (grid((1.35, 0, 0), (0, 0, 1.35), (0, 0.5, FLOOR + 1.35 / 2)), rows((0.4, 0.5, 0.6))),
        (light()[None], rows((1.0, 1.0, 1.0), RADIANCE)),
    ]
    budget = max_triangles - sum(len(corners) for corners, _ in surroundings)
    if budget < FEW:
        raise InputError(f"--max-triangles {max_triangles} leaves the mesh {budget}; give at least 1024.")
    mesh, notes = within_budget(path, read_mesh(path), budget)
    stand(mesh, upright=up == "z" or (up == "auto" and path.suffix.lower() != ".glb"))
    shaded = smooth(mesh)
    parts = [(np.asarray(shaded.triangles), rows((0.75, 0.6, 0.45))), *surroundings]
    normals = [
        np.asarray(shaded.vertex_normals[shaded.faces]),
        *(np.repeat(face_normals(corners)[:, None], 3, axis=1) for corners, _ in surroundings),
    ]
    camera = look_at(CAMERA, TARGET, (0, 0, 1))
    scene = TriangleScene(
        triangles=np.concatenate([corners for corners, _ in parts]).astype(np.float32),
        vn=np.concatenate(normals).astype(np.float32),
        material=np.concatenate([np.repeat(row, len(corners), axis=0) for corners, row in parts]),
        c2w=camera[None].astype(np.float32),
        fov=np.array([FOV], dtype=np.float32),
    )
    return Staged(scene, tuple(notes))


def within_budget(path: Path, mesh: trimesh.Trimesh, budget: int) -> tuple[trimesh.Trimesh, list[str]]:
    """The mesh welded, faces without area removed, wound outwards, with at most `budget` faces; and what to tell."""
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    mesh.update_faces(mesh.nondegenerate_faces())
    faces, notes = len(mesh.faces), []
    if faces == 0:
        raise InputError(f"{path}: the mesh has no faces with an area; export it again.")
    if faces > budget:
        mesh = remesh(mesh, budget)
        if len(mesh.faces) > budget:
            raise InputError(
                f"{path}: its {faces:,} faces can be decimated to {len(mesh.faces):,} only, as they share too few "
                "vertices; raise --max-triangles or simplify the mesh elsewhere."
            )
        notes.append(f"{path}: {faces:,} faces decimated to {len(mesh.faces):,}; --max-triangles sets how many.")
    elif faces < FEW:
        notes.append(f"{path}: {faces} faces are few for a model, which shades triangle by triangle; subdivide it.")
    trimesh.repair.fix_normals(mesh)  # type: ignore[no-untyped-call]
    return mesh, notes


def stand(mesh: trimesh.Trimesh, upright: bool) -> None:
    """Scale the mesh and put it on the floor, centred, in place; where it is not upright (+z), +y is turned up."""
    if not upright:
        mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))  # type: ignore[no-untyped-call]
    low, high = mesh.bounds
    mesh.apply_translation([*-(low + high)[:2] / 2, -low[2]])
    radius = np.linalg.norm(mesh.vertices[:, :2], axis=1).max()
    mesh.apply_scale(min(LONGEST / (high - low).max(), WIDEST / max(radius, 1e-9)))  # type: ignore[no-untyped-call]
    mesh.apply_translation([0, 0, FLOOR + LIFT])


def grid(along: tuple[float, ...], across: tuple[float, ...], centre: tuple[float, ...]) -> FloatArray:
    """Triangles [2 CELLS^2, 3, 3] of the rectangle spanned by two sides around `centre`; front: along x across."""
    i, j = (axis[..., None] for axis in np.indices((CELLS, CELLS)))
    a, b, c, d = (
        np.asarray(centre) + ((i + u) / CELLS - 0.5) * np.asarray(along) + ((j + v) / CELLS - 0.5) * np.asarray(across)
        for u, v in ((0, 0), (1, 0), (1, 1), (0, 1))
    )
    return np.stack([np.stack([a, b, c], -2), np.stack([a, c, d], -2)], 2).reshape(-1, 3, 3).astype(np.float32)


def light() -> FloatArray:
    """Corners [3, 3] of the light at its place, its face towards the centre of the stage."""
    towards = -LIGHT_PLACE / np.linalg.norm(LIGHT_PLACE)
    turn = trimesh.geometry.align_vectors([1, 1, 1], towards)[:3, :3]  # type: ignore[no-untyped-call]
    corners: FloatArray = (LIGHT @ turn.T + LIGHT_PLACE).astype(np.float32)
    return corners


def rows(diffuse: tuple[float, float, float], radiance: float = 0.0) -> FloatArray:
    """One row [1, 13] of material: matte paint with a trace of gloss, or a light."""
    row = np.zeros((1, 13), dtype=np.float32)
    row[0, DIFFUSE], row[0, SPECULAR], row[0, ROUGHNESS] = diffuse, 0.0 if radiance else 0.03, 0.6
    row[0, NORMAL], row[0, EMISSION] = FLAT_NORMAL, radiance
    return row
