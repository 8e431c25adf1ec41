"""Reader of glTF 2.0 (.glb, .gltf): meshes with materials, cameras and lights.

The accessors are decoded here and not by a library: trimesh 5 reads no sparse and no quantised accessors, no fans and
no instances, and ignores required extensions; pygltflib parses the JSON but decodes no accessor.
Sections in brackets are of the specification, Khronos glTF 2.0.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.formats.contents import Contents, FileCamera, FileLight
from rfcli.scene.formats.gltf_accessors import COMPRESSED, GltfFile, read_document
from rfcli.scene.formats.gltf_materials import GltfMaterials
from rfcli.scene.formats.gltf_meshes import check_triangles, parts_of
from rfcli.scene.formats.gltf_nodes import Node, rigid, shown_nodes

UNDERSTOOD = {
    "EXT_mesh_gpu_instancing",
    "EXT_texture_webp",
    "KHR_lights_punctual",
    "KHR_materials_emissive_strength",
    "KHR_materials_ior",
    "KHR_materials_pbrSpecularGlossiness",
    "KHR_materials_specular",
    "KHR_materials_unlit",
    "KHR_mesh_quantization",
    "KHR_texture_transform",
}
KINDS: dict[str, Literal["point", "spot", "sun"]] = {"point": "point", "spot": "spot", "directional": "sun"}
LUMENS_PER_WATT = 683.0  # by which Blender's exporter multiplies lights in watts, but not emission


def read_gltf(path: Path) -> Contents:
    """Read a .glb or .gltf file.

    Raises InputError if the file is broken, needs an extension that is not understood, refers to files outside its
    folder, or is larger than `rfcli.scene.limits` allows.
    """
    gltf = read_document(path)
    _check_extensions(gltf)
    nodes = shown_nodes(gltf)
    check_triangles(gltf, nodes)
    materials = GltfMaterials(gltf)
    worlds = {node.index: node.world for node in nodes}
    notes: list[str] = []
    parts = [part for node in nodes for part in parts_of(gltf, node, materials, worlds, notes)]
    if not parts:
        raise InputError(f"{path}: the file shows no triangles; export it again with meshes.")
    cameras = [camera for node in nodes for camera in _cameras(gltf, node, notes)]
    lights = [light for node in nodes for light in _lights(gltf, node)]
    if lights and _by_blender(gltf):
        lights = [_in_watts(light) for light in lights]
        notes.append("Lights are divided by 683 lumens per watt, by which Blender multiplies them, but not emission.")
    for what, count in materials.left_out.items():
        notes.append(f"Left out in {count} {'material' if count == 1 else 'materials'}: {what}.")
    if gltf.get(gltf.document, "animations", list, []):
        notes.append("Animations are left out; the pose of the file is shown.")
    if len(gltf.get(gltf.document, "scenes", list, [])) > 1:
        notes.append("The file has several scenes, of which its default one is shown.")
    return Contents(parts, "y", cameras, lights, list(dict.fromkeys(notes)))


def _check_extensions(gltf: GltfFile) -> None:
    """Raise InputError if the file requires an extension that is not understood."""
    for name in gltf.get(gltf.document, "extensionsRequired", list, []):
        if name in COMPRESSED:
            raise InputError(f"{gltf.path}: {COMPRESSED[name]}")
        if name not in UNDERSTOOD:
            raise InputError(
                f"{gltf.path}: it requires the glTF extension {str(name)[:60]}, which is not understood; export it "
                "without this extension."
            )


def _cameras(gltf: GltfFile, node: Node, notes: list[str]) -> Iterator[FileCamera]:
    """The perspective camera of a node [3.10.3]; scale of the node has no effect."""
    index = gltf.index(node.entry, "camera")
    if index is None:
        return
    entry = gltf.entry("cameras", index)
    name = str(node.entry.get("name") or entry.get("name") or f"camera {index}")
    if entry.get("type") != "perspective":
        notes.append(f"Camera {name} is left out: only perspective cameras are rendered.")
        return
    lens = gltf.get(entry, "perspective", dict)
    fov = float(np.degrees(gltf.get(lens, "yfov", float)))
    aspect = gltf.get(lens, "aspectRatio", float) if "aspectRatio" in lens else None
    if not 0 < fov < 180 or (aspect is not None and aspect <= 0):
        raise gltf.broken(f"cameras[{index}] has a field of view of {fov:g} degrees or no aspect ratio")
    yield FileCamera(name, rigid(gltf, node), fov, aspect)


def _lights(gltf: GltfFile, node: Node) -> Iterator[FileLight]:
    """The light of a node (KHR_lights_punctual), which shines along its -Z."""
    reference = gltf.extension(node.entry, "KHR_lights_punctual")
    if reference is None:
        return
    lights = gltf.get(gltf.extension(gltf.document, "KHR_lights_punctual") or {}, "lights", list, [])
    index = gltf.get(reference, "light", int)
    if not 0 <= index < len(lights) or not isinstance(lights[index], dict):
        raise gltf.broken(f"the light {index} does not exist")
    entry = lights[index]
    kind = KINDS.get(gltf.get(entry, "type", str))
    if kind is None:
        raise gltf.broken(f"the light {index} is neither a point, nor a spot, nor directional")
    colour = gltf.numbers(entry, "color", (1.0, 1.0, 1.0)) * gltf.get(entry, "intensity", float, 1.0)
    spot = gltf.get(entry, "spot", dict, {})
    inner, outer = (
        gltf.get(spot, name, float, default)
        for name, default in (("innerConeAngle", 0.0), ("outerConeAngle", float(np.pi / 4)))
    )
    if colour.min() < 0 or (kind == "spot" and not 0 <= inner <= outer <= np.pi / 2 + 1e-6):
        raise gltf.broken(f"the light {index} has a negative intensity or impossible angles")
    pose, (red, green, blue) = rigid(gltf, node), colour.tolist()
    name = str(node.entry.get("name") or entry.get("name") or f"light {index}")
    if max(colour) > 0:
        yield FileLight(
            name,
            kind,
            pose[:3, 3],
            -pose[:3, 2],
            (red, green, blue),
            inner,
            outer,
        )


def _by_blender(gltf: GltfFile) -> bool:
    return "Blender" in str(gltf.get(gltf.document, "asset", dict).get("generator", ""))


def _in_watts(light: FileLight) -> FileLight:
    red, green, blue = (value / LUMENS_PER_WATT for value in light.intensity)
    return FileLight(
        light.name, light.kind, light.position, light.direction, (red, green, blue), light.inner, light.outer
    )
