"""Converts a `TriangleScene` to Mitsuba: meshes with one material per face, two-sided lights, cameras."""

from typing import Any

import mitsuba as mi
import numpy as np
import numpy.typing as npt

from rfcli.scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR, TriangleScene
from rfcli.scene.geometry import face_normals
from rfcli.scene.ggx_energy import lost_to_multiple_scattering

mi.set_variant("scalar_rgb")
mi.set_log_level(mi.LogLevel.Error)  # its warnings are a line for each sample that is not finite

MIN_ALPHA = 1e-3  # a lobe of 0.06 degrees: smaller than a pixel, large enough for single precision
LIGHT_GAP = 1e-4  # half the distance between the two faces of a light


def to_mitsuba(scene: TriangleScene, resolution: int) -> Any:
    """The Mitsuba scene: V sensors of resolution x resolution pixels (box filter: pixel means), black surroundings."""
    parts: dict[str, Any] = {"type": "scene"}
    dark = ~scene.emitters
    if dark.any():
        parts["surfaces"] = surface_mesh(scene.triangles[dark], scene.vn[dark], scene.material[dark])
    for i, light in enumerate(light_meshes(scene)):
        parts[f"light{i}"] = light
    for view in range(len(scene.c2w)):
        parts[f"sensor{view}"] = sensor(scene.c2w[view], float(scene.fov[view]), resolution)
    return mi.load_dict(parts)


def surface_mesh(
    triangles: npt.NDArray[np.float32], vn: npt.NDArray[np.float32], material: npt.NDArray[np.float32]
) -> Any:
    """One mesh of triangles [N, 3, 3]; material [N, 13] becomes attributes of its faces.

    The BSDF is a sum, f = kd / pi + ks f_ggx, while Mitsuba blends. With weight w = ks / (kd + ks) of channel means,
    which samples each lobe by its energy, the blended lobes are kd / (1 - w) and ks / w, and the sum is exact.
    """
    alpha = np.clip(material[:, ROUGHNESS] ** 2, MIN_ALPHA, 1.0)
    specular = material[:, SPECULAR]
    diffuse = material[:, DIFFUSE] + specular * lost_to_multiple_scattering(alpha)[:, None]
    kd, ks = diffuse.mean(axis=1), specular.mean(axis=1)
    weight = np.clip(ks / np.maximum(kd + ks, 1e-6), 0.05, 0.95)
    bsdf = {
        "type": "twosided",
        "sum": {
            "type": "blendbsdf",
            "weight": face_attribute("weight"),
            "diffuse": {"type": "diffuse", "reflectance": face_attribute("diffuse")},
            "glossy": {
                "type": "roughconductor",
                "material": "none",  # reflects everything: no Fresnel term
                "distribution": "ggx",
                "alpha": face_attribute("alpha"),
                "specular_reflectance": face_attribute("specular"),
            },
        },
    }
    mesh = triangle_mesh(triangles, vn, bsdf=mi.load_dict(bsdf))
    mesh.add_attribute("face_weight", 1, weight.ravel())
    mesh.add_attribute("face_alpha", 1, alpha.ravel())
    mesh.add_attribute("face_diffuse", 3, (diffuse / (1.0 - weight)[:, None]).ravel())
    mesh.add_attribute("face_specular", 3, (specular / weight[:, None]).ravel())
    return mesh


def face_attribute(name: str) -> dict[str, str]:
    """Reference to the values that `add_attribute` stores with each face."""
    return {"type": "mesh_attribute", "name": f"face_{name}"}


def light_meshes(scene: TriangleScene) -> list[Any]:
    """Meshes of the emitters, one per radiance and side; pure emission, no reflection.

    Emitters emit on both sides (as in Blender), Mitsuba's on one, so each has a reversed copy at a small distance. A
    side that faces neither a surface nor a camera does not contribute and is left out, which halves the noise.
    """
    emits = scene.emitters
    camera_positions = scene.c2w[:, :3, 3]
    receivers = np.concatenate([scene.triangles[~emits].reshape(-1, 3), camera_positions])
    meshes = []
    for radiance in np.unique(scene.material[emits][:, EMISSION], axis=0):
        group = scene.triangles[emits & (scene.material[:, EMISSION] == radiance).all(axis=1)]
        for side in (group, group[:, ::-1]):
            normals = face_normals(side)
            height = np.einsum("pk,nk->np", receivers, normals) - np.einsum("nk,nk->n", side[:, 0], normals)[:, None]
            facing = (height > LIGHT_GAP).any(axis=1)
            if facing.any():
                shifted = side[facing] + LIGHT_GAP * normals[facing][:, None]
                vn = np.repeat(normals[facing][:, None], 3, axis=1)
                emitter = {"type": "area", "radiance": {"type": "rgb", "value": radiance.tolist()}}
                black = {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.0}}
                meshes.append(triangle_mesh(shifted, vn, bsdf=mi.load_dict(black), emitter=mi.load_dict(emitter)))
    return meshes


def triangle_mesh(triangles: npt.NDArray[np.float32], vn: npt.NDArray[np.float32], **parts: Any) -> Any:
    """A Mitsuba mesh of separate triangles [N, 3, 3] with vertex normals [N, 3, 3]; parts: its bsdf and emitter."""
    properties = mi.Properties()
    for name, part in parts.items():
        properties[name] = part
    n = len(triangles)
    mesh = mi.Mesh("triangles", 3 * n, n, has_vertex_normals=True, props=properties)
    values = mi.traverse(mesh)
    values["vertex_positions"] = triangles.astype(np.float32).ravel()
    values["vertex_normals"] = vn.astype(np.float32).ravel()
    values["faces"] = np.arange(3 * n, dtype=np.uint32)
    values.update()
    return mesh


def sensor(c2w: npt.NDArray[np.float32], fov: float, resolution: int) -> dict[str, Any]:
    """A square pinhole camera. Ours looks down -Z with +X right, Mitsuba's down +Z with +X left."""
    turned = np.array(c2w, dtype=np.float64) @ np.diag([-1.0, 1.0, -1.0, 1.0])
    return {
        "type": "perspective",
        "fov": fov,
        "near_clip": 1e-3,
        "to_world": mi.ScalarTransform4f(turned.tolist()),
        "film": {
            "type": "hdrfilm",
            "width": resolution,
            "height": resolution,
            "pixel_format": "rgb",
            "component_format": "float32",
            "rfilter": {"type": "box"},
        },
        "sampler": {"type": "independent"},
    }
