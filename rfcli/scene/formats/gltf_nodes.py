"""Nodes of a glTF 2.0 file: which are shown, and where.

Sections in brackets are of the specification, Khronos glTF 2.0.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rfcli.scene.formats.contents import Floats
from rfcli.scene.formats.gltf_accessors import GltfFile

MAX_REACH = 1e9  # of a node from the origin, and of its scale


@dataclass(frozen=True)
class Node:
    """A node of the scene that is shown, with its world transform [4, 4]."""

    index: int
    entry: dict[str, Any]
    world: Floats


def shown_nodes(gltf: GltfFile) -> list[Node]:
    """The nodes of the scene, parents before children; raises InputError if they are not a forest [3.5.2].

    Without scenes, all nodes without parents are roots; without nodes, each mesh is shown where it is.
    """
    entries = gltf.get(gltf.document, "nodes", list, [])
    scenes = gltf.get(gltf.document, "scenes", list, [])
    if not entries:
        meshes = range(len(gltf.get(gltf.document, "meshes", list, [])))
        return [Node(index, {"mesh": index}, np.eye(4)) for index in meshes]
    if scenes:
        roots = gltf.get(gltf.entry("scenes", gltf.get(gltf.document, "scene", int, 0)), "nodes", list, [])
    else:
        children = {child for index in range(len(entries)) for child in _children(gltf, gltf.entry("nodes", index))}
        roots = [index for index in range(len(entries)) if index not in children]
        if not roots:
            raise gltf.broken("its nodes form a cycle")
    found: list[Node] = []
    seen: set[int] = set()
    waiting = [(root, np.eye(4)) for root in reversed(roots)]
    while waiting:
        index, parent = waiting.pop()
        if not isinstance(index, int) or index in seen:
            raise gltf.broken(f"node {index} is reached twice: its nodes form a cycle or have two parents")
        seen.add(index)
        entry = gltf.entry("nodes", index)
        world = parent @ _local(gltf, entry)
        if not np.isfinite(world).all() or np.abs(world).max() > MAX_REACH:
            raise gltf.broken(f"node {index} is moved or scaled by more than {MAX_REACH:g}")
        found.append(Node(index, entry, world))
        waiting += [(child, world) for child in reversed(_children(gltf, entry))]
    return found


def _children(gltf: GltfFile, entry: dict[str, Any]) -> list[int]:
    children = gltf.get(entry, "children", list, [])
    if not all(isinstance(child, int) for child in children):
        raise gltf.broken("a node has children that are not numbers")
    return children


def _local(gltf: GltfFile, entry: dict[str, Any]) -> Floats:
    """[4, 4] transform of a node: a matrix in column order, or translation times rotation times scale [3.5.3]."""
    if "matrix" in entry:
        return gltf.numbers(entry, "matrix", (0.0,) * 16).reshape(4, 4).T
    translation = gltf.numbers(entry, "translation", (0.0, 0.0, 0.0))
    rotation = gltf.numbers(entry, "rotation", (0.0, 0.0, 0.0, 1.0))
    scale = gltf.numbers(entry, "scale", (1.0, 1.0, 1.0))
    matrix: Floats = compose(translation[None], rotation[None], scale[None])[0]
    return matrix


def compose(translation: Floats, rotation: Floats, scale: Floats) -> Floats:
    """[K, 4, 4] from translations [K, 3], quaternions x, y, z, w [K, 4] and scales [K, 3]."""
    length = np.linalg.norm(rotation, axis=1, keepdims=True)
    x, y, z, w = np.where(length > 0, rotation / np.maximum(length, 1e-30), (0.0, 0.0, 0.0, 1.0)).T
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    matrices = np.tile(np.eye(4), (len(translation), 1, 1))
    matrices[:, :3, :3] = turn * scale[:, None]
    matrices[:, :3, 3] = translation
    return matrices


def rigid(gltf: GltfFile, node: Node) -> Floats:
    """[4, 4] position and orientation of a node, without scale and mirroring."""
    backward, up = node.world[:3, 2], node.world[:3, 1]
    right = np.cross(up, backward)
    if not (np.linalg.norm(right) > 0 and np.linalg.norm(backward) > 0):
        raise gltf.broken(f"node {node.index} has a camera or light, but is scaled to nothing")
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 2] = right / np.linalg.norm(right), backward / np.linalg.norm(backward)
    pose[:3, 1], pose[:3, 3] = np.cross(pose[:3, 2], pose[:3, 0]), node.world[:3, 3]
    return pose
