"""Small glTF files for tests, made from numpy arrays; no file of others."""

import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}

QUAD = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], dtype=np.float32)
QUAD_UV = np.array([(0, 1), (1, 1), (1, 0), (0, 0)], dtype=np.float32)  # upper left corner at (-1, 1)
QUAD_FACES = np.array([0, 1, 2, 0, 2, 3], dtype=np.uint16)


class GlbFile:
    """A glTF document under construction, with one binary buffer."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": []}]}
        self.binary = bytearray()

    def add(self, name: str, entry: dict[str, Any]) -> int:
        """Append an entry to a list of the document; returns its index."""
        self.document.setdefault(name, []).append(entry)
        return len(self.document[name]) - 1

    def view(self, content: bytes, **more: Any) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        start = len(self.binary)
        self.binary += content
        return self.add("bufferViews", {"buffer": 0, "byteOffset": start, "byteLength": len(content), **more})

    def accessor(self, values: Any, **more: Any) -> int:
        """An accessor of an array [count] or [count, width]."""
        values = np.asarray(values)
        values = values.astype(np.float32) if values.dtype == np.float64 else values
        width = 1 if values.ndim == 1 else values.shape[1]
        code = COMPONENTS[values.dtype.str[1:]]
        entry = {"bufferView": self.view(values.tobytes()), "componentType": code, "count": len(values)}
        return self.add("accessors", {**entry, "type": TYPES[width], **more})

    def mesh(
        self,
        vertices: Any,
        faces: Any = None,
        material: int | None = None,
        mode: int | None = None,
        **attributes: Any,
    ) -> int:
        """A mesh of one primitive; attributes are arrays or indices of accessors."""
        found = {"POSITION": vertices, **attributes}
        primitive: dict[str, Any] = {
            "attributes": {
                name: values if isinstance(values, int) else self.accessor(values) for name, values in found.items()
            }
        }
        if faces is not None:
            primitive["indices"] = faces if isinstance(faces, int) else self.accessor(np.asarray(faces).reshape(-1))
        if material is not None:
            primitive["material"] = material
        if mode is not None:
            primitive["mode"] = mode
        return self.add("meshes", {"primitives": [primitive]})

    def node(self, root: bool = True, **fields: Any) -> int:
        index = self.add("nodes", fields)
        if root:
            self.document["scenes"][0]["nodes"].append(index)
        return index

    def texture(self, pixels: Any, wrap: tuple[int, int] | None = None) -> int:
        """A texture of pixels [H, W, 3 or 4] uint8, as PNG."""
        content = io.BytesIO()
        Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(content, "PNG")
        image = self.add("images", {"bufferView": self.view(content.getvalue()), "mimeType": "image/png"})
        entry = {"source": image}
        if wrap is not None:
            entry["sampler"] = self.add("samplers", {"wrapS": wrap[0], "wrapT": wrap[1], "magFilter": 9728})
        return self.add("textures", entry)

    def light(self, node: dict[str, Any] | None = None, **light: Any) -> int:
        """A node with a light of KHR_lights_punctual."""
        lights = self.document.setdefault("extensions", {}).setdefault("KHR_lights_punctual", {"lights": []})["lights"]
        lights.append(light)
        reference = {"extensions": {"KHR_lights_punctual": {"light": len(lights) - 1}}}
        return self.node(**(node or {}), **reference)

    def camera(self, yfov: float, **node: Any) -> int:
        """A node with a perspective camera."""
        lens = {"type": "perspective", "perspective": {"yfov": yfov, "znear": 0.01}}
        return self.node(camera=self.add("cameras", lens), **node)

    def content(self) -> bytes:
        """The .glb file."""
        document = dict(self.document)
        if self.binary:
            document["buffers"] = [{"byteLength": len(self.binary)}]
        text = json.dumps(document).encode()
        text += b" " * (-len(text) % 4)
        binary = bytes(self.binary) + b"\0" * (-len(self.binary) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
        if binary:
            chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

    def write(self, path: Path) -> Path:
        path.write_bytes(self.content())
        return path


def checkerboard(cells: int, pixels: int = 1, colours: Sequence[int] = (0, 255)) -> np.ndarray:
    """[S, S, 3] uint8 squares of `pixels`, the upper left one in the first colour."""
    row, column = np.indices((cells * pixels, cells * pixels)) // pixels
    return np.repeat(np.where((row + column) % 2, colours[1], colours[0])[..., None], 3, axis=2).astype(np.uint8)


def quaternion(axis: Sequence[float], degrees: float) -> list[float]:
    """Rotation as glTF stores it: x, y, z, w."""
    half = np.radians(degrees) / 2
    unit = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    return [*(np.sin(half) * unit).tolist(), float(np.cos(half))]


def ball(radius: float = 1.0, subdivisions: int = 3) -> dict[str, Any]:
    """Arguments of `GlbFile.mesh` for a sphere with normals."""
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions, radius)
    vertices = np.asarray(sphere.vertices, np.float32)
    return {"vertices": vertices, "faces": np.asarray(sphere.faces, np.uint32), "NORMAL": vertices / np.float32(radius)}


def studio(texture_cells: int = 8) -> GlbFile:
    """A scene of several parts: textured floor, wall, metal and matte balls, two cameras, three lights."""
    glb = GlbFile()

    def material(colour: Sequence[float], metallic: float, roughness: float, **more: Any) -> int:
        surface = {"baseColorFactor": [*colour, 1.0], "metallicFactor": metallic, "roughnessFactor": roughness}
        return glb.add("materials", {"pbrMetallicRoughness": {**surface, **more}})

    board = {"baseColorTexture": {"index": glb.texture(checkerboard(texture_cells, 4, (60, 235)))}}
    floor = glb.mesh(4 * QUAD, QUAD_FACES, material((1, 1, 1), 0, 0.5, **board), TEXCOORD_0=QUAD_UV)
    wall = glb.mesh(4 * QUAD * (1, 0.6, 1), QUAD_FACES, material((0.55, 0.6, 0.7), 0, 0.9))
    glb.node(name="floor", mesh=floor, rotation=quaternion((1, 0, 0), -90))
    glb.node(name="wall", mesh=wall, translation=[0, 2.4, -4])
    gold = glb.mesh(**ball(1.0), material=material((1.0, 0.75, 0.3), 1, 0.25))
    red = glb.mesh(**ball(0.7), material=material((0.8, 0.1, 0.08), 0, 0.6))
    group = glb.node(root=True, name="balls", children=[])
    for name, mesh, place in (("gold", gold, [-1.2, 1.0, -0.5]), ("red", red, [1.3, 0.7, 0.6])):
        glb.document["nodes"][group]["children"].append(glb.node(root=False, name=name, mesh=mesh, translation=place))
    glb.light({"name": "key", "translation": [-3, 4.5, 3]}, type="point", color=[1.0, 0.9, 0.8], intensity=90.0)
    aim = quaternion((1, 0, 0), -75)
    spot = {"innerConeAngle": 0.35, "outerConeAngle": 0.5}
    glb.light({"name": "spot", "translation": [2, 5, 1], "rotation": aim}, type="spot", intensity=120.0, spot=spot)
    glb.light(
        {"name": "sun", "rotation": quaternion((1, 0, 0), -60)},
        type="directional",
        color=[0.7, 0.8, 1.0],
        intensity=1.0,
    )
    glb.camera(0.7, name="front", translation=[0, 2.5, 9], rotation=quaternion((1, 0, 0), -10))
    glb.camera(0.9, name="side", translation=[5.5, 3, 5], rotation=_look([5.5, 3, 5], [0, 0.8, 0]))
    return glb


def _look(eye: Sequence[float], target: Sequence[float]) -> list[float]:
    """Rotation of a camera, y up."""
    from scipy.spatial.transform import Rotation

    backward = np.asarray(eye, dtype=float) - target
    backward /= np.linalg.norm(backward)
    right = np.cross((0, 1, 0), backward)
    right /= np.linalg.norm(right)
    return Rotation.from_matrix(np.column_stack([right, np.cross(backward, right), backward])).as_quat().tolist()
