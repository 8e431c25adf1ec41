"""Writes a scene as official JSON with one OBJ file for each material, in a folder beside it."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.runtime.files import replacing
from rfcli.scene.geometry import face_normals
from rfcli.scene.schema import MAX_EMISSION
from rfcli.scene.triangle_scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR, FloatArray, TriangleScene

MAX_OBJECTS = 1000  # each is a file; scenes with more materials have their colours rounded
STEPS = (255, 127, 63, 31, 15, 7, 3)  # levels of a colour; the official converter stores diffuse colours in 255
FLAT_DEVIATION = 1e-3  # of vertex normals from the triangle's own, for an object that is shaded flat


@dataclass(frozen=True)
class WrittenScene:
    """The files written, and sentences about what the format cannot hold."""

    files: list[Path]
    notes: list[str]


def write_json(scene: TriangleScene, path: Path) -> WrittenScene:
    """Write a scene as official JSON; objects are groups of triangles of one material that are all flat or all smooth.

    The format has no vertex normals: smooth objects are smoothed again when they are read, up to a crease of 30 degrees
    and not across materials. Diffuse colours become multiples of 1 / 255.

    Args:
        scene: The scene.
        path: Ends in .json; meshes are written into the folder NAME-meshes beside it, which must not hold other files.

    Returns:
        The paths written, the scene first.

    Raises:
        InputError: The folder of meshes is not one that this function wrote, or a file cannot be written.
    """
    folder = path.with_name(f"{path.stem}-meshes")
    notes: list[str] = []
    scene, flat = _wound_by_normals(scene)
    rows, group = _groups(scene, flat, notes)
    objects: dict[str, Any] = {}
    files = []
    try:
        _clear(folder)
        folder.mkdir(exist_ok=True)
        for number, row in enumerate(rows):
            name = f"part-{number:04d}"
            members = group == number
            file = folder / f"{name}.obj"
            file.write_text(_obj(scene.triangles[members]))
            files.append(file)
            objects[name] = _object(f"{folder.name}/{name}.obj", row[:13], smooth=not row[13])
        cameras = [_camera(pose, float(fov)) for pose, fov in zip(scene.c2w, scene.fov, strict=True)]
        content = {"scene_name": path.stem, "version": "1.0", "objects": objects, "cameras": cameras}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path}: the scene cannot be written ({reason}); choose another folder.") from error
    return WrittenScene([path, *files], notes)


def _wound_by_normals(scene: TriangleScene) -> tuple[TriangleScene, npt.NDArray[np.bool_]]:
    """The scene with all triangles wound by their vertex normals, and [N] whether these are the triangles' own.

    Readers compute normals from the winding.
    """
    own = face_normals(scene.triangles.astype(np.float64))
    backward = (scene.vn.sum(axis=1) * own).sum(axis=1) < 0
    triangles, vn = scene.triangles.copy(), scene.vn.copy()
    triangles[backward], vn[backward], own[backward] = triangles[backward, ::-1], vn[backward, ::-1], -own[backward]
    flat = np.abs(vn - own[:, None]).max(axis=(1, 2)) < FLAT_DEVIATION
    return replace(scene, triangles=triangles, vn=vn), flat


def _groups(
    scene: TriangleScene, flat: npt.NDArray[np.bool_], notes: list[str]
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Materials with flatness [G, 14], in the order of their first triangles, and the group of each triangle [N]."""
    material = np.array(scene.material, dtype=np.float64)
    if material[:, EMISSION].max() > MAX_EMISSION:
        notes.append(f"Emission is limited to {MAX_EMISSION:,.0f}, the largest number of the format.")
        material[:, EMISSION] = np.minimum(material[:, EMISSION], MAX_EMISSION)
    for steps in STEPS:
        rounded = material.copy()
        for columns in (DIFFUSE, SPECULAR, ROUGHNESS):
            rounded[:, columns] = np.round(np.clip(material[:, columns], 0, 1) * steps) / steps
        if steps < STEPS[0]:  # emission to as many levels of its logarithm, which is what models read
            top = np.log1p(material[:, EMISSION].max()) or 1.0
            level = np.round(np.log1p(material[:, EMISSION]) / top * steps)
            rounded[:, EMISSION] = np.expm1(level / steps * top)
        keys = np.column_stack([rounded, flat]).astype(np.float32)
        _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        if len(first) <= MAX_OBJECTS:
            break
    if steps < STEPS[0]:
        notes.append(f"Colours are rounded to multiples of 1/{steps}: the format needs a file for each material.")
    order = np.argsort(first)
    return keys[first[order]], np.argsort(order)[group.reshape(-1)]


def _object(mesh_path: str, row: FloatArray, smooth: bool) -> dict[str, Any]:
    diffuse = [(round(float(value) * 255) + 0.25) / 255 for value in row[DIFFUSE]]  # readers take the floor
    return {
        "mesh_path": mesh_path,
        "material": {
            "diffuse": [min(value, 1.0) for value in diffuse],
            "specular": [round(float(value), 6) for value in row[SPECULAR]],
            "roughness": round(float(row[ROUGHNESS]), 6),
            "emissive": [float(value) for value in row[EMISSION]],
            "smooth_shading": smooth,
            "rand_tri_diffuse_seed": None,
        },
        "transform": {
            "translation": [0.0, 0.0, 0.0],
            "rotation": [0.0, 0.0, 0.0],
            "scale": [1.0, 1.0, 1.0],
            "normalize": False,
        },
        "remesh": False,
    }


def _camera(pose: FloatArray, fov: float) -> dict[str, Any]:
    position, backward = pose[:3, 3].astype(np.float64), pose[:3, 2].astype(np.float64)
    up = [float(value) for value in pose[:3, 1]]
    return {"position": position.tolist(), "look_at": (position - backward).tolist(), "up": up, "fov": fov}


def _obj(triangles: FloatArray) -> str:
    """Triangles [N, 3, 3] as OBJ, with one vertex for each position."""
    vertices, index = np.unique(triangles.reshape(-1, 3), axis=0, return_inverse=True)
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (index.reshape(-1, 3) + 1).tolist()]
    return "\n".join(lines) + "\n"


def _clear(folder: Path) -> None:
    """Remove the meshes of an earlier scene; raises InputError if the folder holds anything else."""
    if not folder.exists():
        return
    others = [file for file in folder.iterdir() if not (file.name.startswith("part-") and file.suffix == ".obj")]
    if others or not folder.is_dir():
        raise InputError(f"{folder}: the folder holds other files, such as {others[0].name}; choose another name.")
    shutil.rmtree(folder)
