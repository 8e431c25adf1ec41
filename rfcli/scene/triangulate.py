"""From a scene description to triangles: meshes placed and shaded, with one row of material per face."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh

from rfcli.errors import InputError
from rfcli.scene.geometry import look_at
from rfcli.scene.limits import MAX_TRIANGLES
from rfcli.scene.mesh import normalize, place, read_mesh, remesh
from rfcli.scene.mesh_size import check_mesh_size
from rfcli.scene.schema import Material, Object, Scene
from rfcli.scene.shading import corner_normals, flat, separate_groups, shading_groups, smooth
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


def triangulate(description: Scene, path: Path, allow_outside: bool = False) -> TriangleScene:
    """Triangles and cameras of a description read from `path`, in the order of its objects.

    allow_outside: also read meshes outside the folder of the scene file.
    Raises InputError naming the file and the object or camera if a mesh or a camera is unusable.
    """
    parts = list(description.objects.values())
    check_meshes(parts, path, allow_outside)
    meshes = [shaded_mesh(part, path.parent) for part in parts]
    materials = [material_rows(part.material, mesh) for part, mesh in zip(parts, meshes, strict=True)]
    cameras = []
    for number, camera in enumerate(description.cameras):
        try:
            cameras.append(look_at(camera.position, camera.look_at, camera.up))
        except InputError as error:
            raise InputError(f"{path}: cameras.{number}: {error}") from error
    return TriangleScene(
        triangles=np.concatenate([mesh.triangles for mesh in meshes]).astype(np.float32),
        vn=np.concatenate([corner_normals(mesh) for mesh in meshes]).astype(np.float32),
        material=np.concatenate(materials),
        c2w=np.stack(cameras).astype(np.float32),
        fov=np.array([camera.fov for camera in description.cameras], dtype=np.float32),
    )


def check_meshes(parts: Sequence[Object], path: Path, allow_outside: bool) -> None:
    """Check the mesh files of a scene before any of them is read.

    Raises InputError if one is outside the scene's folder (`../`, an absolute path, a symbolic link), or if all of
    them together declare more triangles than a scene can have.
    """
    folder, declared, triangles = path.parent.resolve(), dict[str, int](), 0
    for part in parts:
        name, file = part.mesh_path, path.parent / part.mesh_path
        if name not in declared:
            if not allow_outside and not file.resolve().is_relative_to(folder):
                raise InputError(
                    f"{path}: mesh_path {name} leads outside the scene's folder; move the mesh into it, or set "
                    "`allow_outside` if you trust the scene."
                )
            declared[name] = check_mesh_size(file) if file.is_file() else 0
        triangles += part.remesh_target_face_num if part.remesh else declared[name]
        if triangles > MAX_TRIANGLES:
            raise InputError(
                f"{path}: its objects have {triangles:,} triangles or more; decimate them to {MAX_TRIANGLES:,} at most."
            )


def shaded_mesh(part: Object, folder: Path) -> trimesh.Trimesh:
    """One object in world space, with vertices split at sharp edges; mesh paths are relative to `folder`."""
    mesh = read_mesh(folder / part.mesh_path)
    if part.transform.normalize:
        normalize(mesh)
    if part.remesh:
        mesh = remesh(mesh, part.remesh_target_face_num)
    place(mesh, part.transform)
    if part.material.smooth_shading:
        mesh = smooth(mesh)  # also before flat: random colours follow the order of the smoothing groups
    if part.material.colours_every_triangle or not part.material.smooth_shading:
        return flat(mesh)
    return mesh if part.material.rand_tri_diffuse_seed is None else separate_groups(mesh)


def material_rows(material: Material, mesh: trimesh.Trimesh) -> FloatArray:
    """[N, 13] material of each face as the official converter stores it: diffuse in 256 steps, all in half precision.

    Random diffuse colours come from numpy's legacy generator (MT19937), three numbers per group in face order.
    """
    rows = np.empty((len(mesh.faces), 13))
    if material.rand_tri_diffuse_seed is None:
        steps = np.floor(np.array(material.diffuse) * 255)
    else:
        group = np.arange(len(mesh.faces)) if material.colours_every_triangle else shading_groups(mesh)
        generator = np.random.RandomState(material.rand_tri_diffuse_seed)
        levels = max(1, math.ceil(256 * material.random_diffuse_max))
        steps = generator.randint(0, levels, (group.max() + 1, 3))[group]
    rows[:, DIFFUSE] = steps / 255
    rows[:, SPECULAR] = material.specular
    rows[:, ROUGHNESS] = material.roughness
    rows[:, NORMAL] = FLAT_NORMAL
    rows[:, EMISSION] = material.emissive
    return rows.astype(np.float16).astype(np.float32)
