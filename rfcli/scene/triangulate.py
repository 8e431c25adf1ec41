"""From a scene description to triangles: meshes placed and shaded, with one row of material per face."""

import math
from pathlib import Path

import numpy as np
import trimesh

from rfcli.errors import InputError
from rfcli.scene.formats.faces import without_double_faces
from rfcli.scene.geometry import look_at
from rfcli.scene.mesh import normalize, place, read_mesh, remesh
from rfcli.scene.mesh_paths import check_meshes
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


def shaded_mesh(part: Object, folder: Path) -> trimesh.Trimesh:
    """One object in world space, with vertices split at sharp edges; mesh paths are relative to `folder`."""
    mesh = read_mesh(folder / part.mesh_path)
    if part.transform.normalize:
        normalize(mesh)
    if part.remesh:
        mesh = remesh(mesh, part.remesh_target_face_num)
    place(mesh, part.transform)
    if part.material.smooth_shading:
        mesh = smooth(
            without_double_faces(mesh)
        )  # also before flat: random colours follow the order of the smoothing groups
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
