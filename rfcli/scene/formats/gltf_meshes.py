"""Meshes of a glTF 2.0 file in world space: primitives, instances, morph targets and skins in the pose of the file.

Sections in brackets are of the specification, Khronos glTF 2.0.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.formats.contents import Floats, Indices, Part
from rfcli.scene.formats.gltf_accessors import GltfFile, normalised
from rfcli.scene.formats.gltf_materials import GltfMaterials
from rfcli.scene.formats.gltf_nodes import Node, compose
from rfcli.scene.limits import MAX_TRIANGLES

TRIANGLES, STRIP, FAN = 4, 5, 6  # primitive modes; lower ones are points and lines
MAX_VERTEX = 1e9  # absolute value of a coordinate


def check_triangles(gltf: GltfFile, nodes: list[Node]) -> None:
    """Raise InputError if all instances together declare more triangles than a scene can have; decodes nothing."""
    if len(nodes) > MAX_TRIANGLES:
        raise InputError(f"{gltf.path}: {len(nodes):,} nodes are more than a scene can have; simplify it.")
    total = 0
    for node in nodes:
        mesh = gltf.index(node.entry, "mesh")
        if mesh is None:
            continue
        declared = 0
        for primitive in _primitives(gltf, mesh):
            counted = gltf.index(primitive, "indices")
            if counted is None:
                counted = gltf.get(gltf.get(primitive, "attributes", dict), "POSITION", int)
            corners = gltf.get(gltf.entry("accessors", counted), "count", int)
            declared += max(
                corners // 3 if gltf.get(primitive, "mode", int, TRIANGLES) == TRIANGLES else corners - 2, 1
            )
        total += declared * _instance_count(gltf, node)
        if total > MAX_TRIANGLES:
            raise InputError(
                f"{gltf.path}: its meshes and instances have {total:,} triangles or more, and a scene can have "
                f"{MAX_TRIANGLES:,}; simplify it."
            )


def _primitives(gltf: GltfFile, mesh: int) -> list[dict[str, Any]]:
    primitives = gltf.get(gltf.entry("meshes", mesh), "primitives", list)
    if not all(isinstance(primitive, dict) for primitive in primitives):
        raise gltf.broken(f"meshes[{mesh}] has primitives that are not objects")
    return primitives


def _instance_count(gltf: GltfFile, node: Node) -> int:
    instancing = gltf.extension(node.entry, "EXT_mesh_gpu_instancing")
    if instancing is None:
        return 1
    attributes = gltf.get(instancing, "attributes", dict)
    counts = {gltf.get(gltf.entry("accessors", gltf.get(attributes, name, int)), "count", int) for name in attributes}
    if len(counts) != 1:
        raise gltf.broken(f"the instances of node {node.index} have attributes of different counts")
    return counts.pop()


def _instances(gltf: GltfFile, node: Node) -> Floats:
    """[K, 4, 4] world transforms of a node's mesh (EXT_mesh_gpu_instancing)."""
    instancing = gltf.extension(node.entry, "EXT_mesh_gpu_instancing")
    if instancing is None:
        return node.world[None]
    attributes, count = gltf.get(instancing, "attributes", dict), _instance_count(gltf, node)

    def values(name: str, default: tuple[float, ...]) -> Floats:
        if name not in attributes:
            return np.tile(np.array(default), (count, 1))
        return gltf.accessor(gltf.get(attributes, name, int), len(default)).astype(np.float64)

    moves = values("TRANSLATION", (0.0, 0.0, 0.0))
    turns = values("ROTATION", (0.0, 0.0, 0.0, 1.0))
    return node.world @ compose(moves, turns, values("SCALE", (1.0, 1.0, 1.0)))


def parts_of(
    gltf: GltfFile, node: Node, materials: GltfMaterials, worlds: dict[int, Floats], notes: list[str]
) -> Iterator[Part]:
    """The triangles of a node in world space, one part per primitive and instance."""
    mesh = gltf.index(node.entry, "mesh")
    if mesh is None:
        return
    name = str(node.entry.get("name") or gltf.entry("meshes", mesh).get("name") or f"mesh {mesh}")
    primitives = _primitives(gltf, mesh)
    skin = gltf.index(node.entry, "skin")
    transforms = _instances(gltf, node)
    for number, primitive in enumerate(primitives):
        mode = gltf.get(primitive, "mode", int, TRIANGLES)
        if mode not in (TRIANGLES, STRIP, FAN):
            if not 0 <= mode < TRIANGLES:
                raise gltf.broken(f"meshes[{mesh}] has a primitive of the unknown mode {mode}")
            notes.append("Points and lines are left out.")
            continue
        part = _primitive(gltf, node, mesh, primitive, mode, materials)
        part_name = name if len(primitives) == 1 else f"{name}.{number}"
        placed = (
            [_skinned(gltf, skin, primitive, part, worlds)]
            if skin is not None and _is_skinned(primitive)
            else [_moved(part, transform) for transform in transforms]
        )
        for instance, (vertices, faces, normals) in enumerate(placed):
            if len(faces) and not np.isfinite(vertices[np.unique(faces)]).all():
                raise gltf.broken(f"meshes[{mesh}] has vertices that are not finite numbers")
            if len(faces) and np.abs(vertices[np.unique(faces)]).max() > MAX_VERTEX:
                raise gltf.broken(f"meshes[{mesh}] has vertices farther than {MAX_VERTEX:g} from 0")
            yield Part(
                part_name if len(placed) == 1 else f"{part_name} #{instance}",
                np.where(np.isfinite(vertices), vertices, 0.0),
                faces,
                normals,
                part.colours,
                uv=part.uv,
                uv1=part.uv1,
                material=part.material,
            )


def _primitive(
    gltf: GltfFile, node: Node, mesh: int, primitive: dict[str, Any], mode: int, materials: GltfMaterials
) -> Part:
    """A primitive [3.7.2] in the coordinates of its mesh."""
    attributes = gltf.get(primitive, "attributes", dict)
    vertices = gltf.accessor(gltf.get(attributes, "POSITION", int), 3).astype(np.float64)
    indices = gltf.index(primitive, "indices")
    order = np.arange(len(vertices)) if indices is None else gltf.accessor(indices, 1)[:, 0].astype(np.int64)
    if len(order) and (order.min() < 0 or order.max() >= len(vertices)):
        raise gltf.broken(f"meshes[{mesh}] has faces whose vertices do not exist")

    def optional(name: str, width: int) -> Floats | None:
        index = gltf.index(attributes, name)
        if index is None:
            return None
        values = gltf.accessor(index, width).astype(np.float64)
        if len(values) != len(vertices):
            raise gltf.broken(f"meshes[{mesh}] has {len(vertices):,} vertices, but {len(values):,} of {name}")
        if not np.isfinite(values).all():
            raise gltf.broken(f"meshes[{mesh}] has values of {name} that are not finite numbers")
        return values

    normals, morphed = optional("NORMAL", 3), _morph(gltf, node, mesh, primitive, len(vertices))
    material = gltf.index(primitive, "material")
    return Part(
        "",
        vertices + morphed if morphed is not None else vertices,
        _faces(order, mode),
        None if morphed is not None else normals,
        _colours(gltf, attributes, optional),
        uv=optional("TEXCOORD_0", 2),
        uv1=optional("TEXCOORD_1", 2),
        material=None if material is None else materials.material(material),
    )


def _faces(order: Indices, mode: int) -> Indices:
    """[F, 3] of a list, strip or fan of vertices [3.7.2.1]; odd triangles of a strip are wound the other way."""
    if mode == TRIANGLES:
        return order[: len(order) // 3 * 3].reshape(-1, 3)
    if len(order) < 3:
        return np.empty((0, 3), dtype=np.int64)
    if mode == FAN:
        return np.stack([order[1:-1], order[2:], np.full(len(order) - 2, order[0])], axis=1)
    faces = np.stack([order[:-2], order[1:-1], order[2:]], axis=1)
    faces[1::2] = faces[1::2][:, [0, 2, 1]]
    return faces


def _colours(gltf: GltfFile, attributes: dict[str, Any], optional: Any) -> Floats | None:
    """[M, 4] linear rgba of COLOR_0, which has three or four numbers."""
    index = gltf.index(attributes, "COLOR_0")
    if index is None:
        return None
    four = gltf.entry("accessors", index).get("type") == "VEC4"
    colours: Floats = optional("COLOR_0", 4 if four else 3)
    return np.clip(colours if four else np.column_stack([colours, np.ones(len(colours))]), 0.0, 1.0)


def _morph(gltf: GltfFile, node: Node, mesh: int, primitive: dict[str, Any], count: int) -> Floats | None:
    """[count, 3] by which morph targets move the vertices [3.7.2.2]; None if no weight is set."""
    targets = gltf.get(primitive, "targets", list, [])
    holder = node.entry if "weights" in node.entry else gltf.entry("meshes", mesh)
    weights = gltf.get(holder, "weights", list, [])
    if not targets or not any(weights):
        return None
    total = np.zeros((count, 3))
    for weight, target in zip(gltf.numbers(holder, "weights", (0.0,) * len(weights)), targets, strict=False):
        if weight and isinstance(target, dict) and "POSITION" in target:
            moved = gltf.accessor(gltf.get(target, "POSITION", int), 3)
            if len(moved) != count:
                raise gltf.broken(f"meshes[{mesh}] has a morph target of another number of vertices")
            total += weight * moved
    return total


def _moved(part: Part, transform: Floats) -> tuple[Floats, Indices, Floats | None]:
    """Vertices, faces and normals of a part after a transform [4, 4]; a mirror image is wound the other way."""
    linear = transform[:3, :3]
    vertices = part.vertices @ linear.T + transform[:3, 3]
    mirrored = np.linalg.det(linear) < 0
    faces = part.faces[:, ::-1] if mirrored else part.faces
    if part.normals is None:
        return vertices, faces, None
    # Normals are moved by the inverse transpose, which is the matrix of cofactors but for its scale and sign.
    cofactors = np.stack([np.cross(linear[(i + 1) % 3], linear[(i + 2) % 3]) for i in range(3)])
    return vertices, faces, _unit(part.normals @ cofactors.T * (-1.0 if mirrored else 1.0))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30))


def _is_skinned(primitive: dict[str, Any]) -> bool:
    return "JOINTS_0" in primitive["attributes"] and "WEIGHTS_0" in primitive["attributes"]


def _skinned(
    gltf: GltfFile, skin: int, primitive: dict[str, Any], part: Part, worlds: dict[int, Floats]
) -> tuple[Floats, Indices, Floats | None]:
    """Vertices, faces and normals of a part that follows its joints; the node itself does not move it [3.7.3.3]."""
    entry, count = gltf.entry("skins", skin), len(part.vertices)
    joints = gltf.get(entry, "joints", list)
    bind = gltf.index(entry, "inverseBindMatrices")
    inverse = np.tile(np.eye(4), (len(joints), 1, 1))
    if bind is not None:
        inverse = gltf.accessor(bind, 16).astype(np.float64).reshape(-1, 4, 4).transpose(0, 2, 1)
    if not 0 < len(joints) <= len(inverse) or not all(joint in worlds for joint in joints if isinstance(joint, int)):
        raise gltf.broken(f"skins[{skin}] has joints that are not in the scene")
    moves = np.stack([worlds[joint] for joint in joints]) @ inverse[: len(joints)]
    blended = np.zeros((count, 4, 4))
    total = np.zeros(count)
    for place in range(4):
        attributes = primitive["attributes"]
        if f"JOINTS_{place}" not in attributes or f"WEIGHTS_{place}" not in attributes:
            break
        index = gltf.accessor(gltf.get(attributes, f"JOINTS_{place}", int), 4).astype(np.int64)
        weight = normalised(gltf.accessor(gltf.get(attributes, f"WEIGHTS_{place}", int), 4))
        if len(index) != count or len(weight) != count or index.min() < 0 or index.max() >= len(joints):
            raise gltf.broken(f"skins[{skin}] is used by a mesh with joints that do not exist")
        for corner in range(4):
            blended += weight[:, corner, None, None] * moves[index[:, corner]]
            total += weight[:, corner]
    blended = np.where(total[:, None, None] > 0, blended / np.maximum(total, 1e-30)[:, None, None], np.eye(4))
    vertices = np.einsum("mij,mj->mi", blended[:, :3, :3], part.vertices) + blended[:, :3, 3]
    if part.normals is None:
        return vertices, part.faces, None
    return vertices, part.faces, _unit(np.einsum("mij,mj->mi", blended[:, :3, :3], part.normals))
