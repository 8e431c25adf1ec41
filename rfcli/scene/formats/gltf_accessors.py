"""glTF 2.0: the JSON of a .glb or .gltf file, its buffers, and accessors as arrays, all checked before memory is used.

Sections in brackets are of the specification, Khronos glTF 2.0.
"""

import base64
import binascii
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene.limits import MAX_MESH_BYTES, MAX_SCENE_BYTES, MAX_TRIANGLES

Array = npt.NDArray[Any]
Kind = TypeVar("Kind")

MAGIC = b"glTF"
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942
COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
MAX_ELEMENTS = 3 * MAX_TRIANGLES  # of an accessor


@dataclass
class GltfFile:
    """A parsed file; `document` is its JSON, whose parts are read by `entry` and checked where they are used.

    Attributes:
        path: The file.
        document: The JSON.
        binary: The binary chunk of a .glb file; None for .gltf.
    """

    path: Path
    document: dict[str, Any]
    binary: bytes | None
    _buffers: dict[int, bytes] = field(default_factory=dict)

    def broken(self, problem: str) -> InputError:
        """The error for a file that breaks the specification."""
        return InputError(f"{self.path}: {problem}; export the file again.")

    def get(self, holder: dict[str, Any], name: str, kind: type[Kind], default: Kind | None = None) -> Kind:
        """The value of a field; raises InputError if it has another type, or is missing and has no default."""
        value = holder.get(name, default)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)  # type: ignore[assignment]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.broken(f"the glTF field {name} is {'missing' if value is None else 'of a wrong type'}")
        if isinstance(value, float) and not np.isfinite(value):
            raise self.broken(f"the glTF field {name} is not finite")
        return value

    def index(self, holder: dict[str, Any], name: str) -> int | None:
        """The value of an optional field that refers to an entry of a list."""
        return None if holder.get(name) is None else self.get(holder, name, int)

    def entry(self, name: str, index: int) -> dict[str, Any]:
        """One entry of a list of the document, such as accessors."""
        entries = self.get(self.document, name, list, [])
        if not 0 <= index < len(entries) or not isinstance(entries[index], dict):
            raise self.broken(f"the entry {name}[{index}] does not exist")
        entry: dict[str, Any] = entries[index]
        return entry

    def numbers(self, holder: dict[str, Any], name: str, default: tuple[float, ...]) -> npt.NDArray[np.float64]:
        """A list of as many finite numbers as the default."""
        values = self.get(holder, name, list, list(default))
        numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
        if len(values) != len(default) or not numeric or not np.isfinite(np.array(values, float)).all():
            raise self.broken(f"the glTF field {name} is not {len(default)} numbers")
        return np.array(values, dtype=np.float64)

    def extension(self, holder: dict[str, Any], name: str) -> dict[str, Any] | None:
        """The content of an extension; None where it is not used."""
        extensions = self.get(holder, "extensions", dict, {})
        return self.get(extensions, name, dict) if name in extensions else None

    def buffer_view(self, index: int) -> memoryview:
        """The bytes of a buffer view [3.6.1.2]."""
        view = self.entry("bufferViews", index)
        content = self._buffer(self.get(view, "buffer", int))
        start, length = self.get(view, "byteOffset", int, 0), self.get(view, "byteLength", int)
        if start < 0 or length < 0 or start + length > len(content):
            raise self.broken(f"bufferViews[{index}] needs bytes {start:,} to {start + length:,} of {len(content):,}")
        return memoryview(content)[start : start + length]

    def accessor(self, index: int, width: int) -> Array:
        """An accessor [count, width], normalised integers as floats; sparse ones are filled in [3.6.2].

        width: numbers of an element; raises InputError if the file has another.
        """
        accessor = self.entry("accessors", index)
        count = self.get(accessor, "count", int)
        name = self.get(accessor, "type", str)
        if WIDTHS.get(name) != width:
            raise self.broken(f"accessors[{index}] holds {name} where {width} numbers are needed")
        if not 0 <= count <= MAX_ELEMENTS:
            raise self.broken(f"accessors[{index}] declares {count:,} elements, more than {MAX_ELEMENTS:,}")
        component = self._component(accessor)
        view = self.index(accessor, "bufferView")
        if view is None:
            if "sparse" not in accessor and accessor.get("extensions"):
                raise self.broken(f"accessors[{index}] has no data without its extensions")
            values: Array = np.zeros((count, width), component)
        else:
            values = self._elements(view, self.get(accessor, "byteOffset", int, 0), component, count, width)
        if "sparse" in accessor:
            values = self._with_sparse(values.copy(), self.get(accessor, "sparse", dict), index)
        if self.get(accessor, "normalized", bool, False):
            return normalised(values)
        return values

    def _with_sparse(self, values: Array, sparse: dict[str, Any], index: int) -> Array:
        count = self.get(sparse, "count", int)
        if not 0 <= count <= len(values):
            raise self.broken(f"accessors[{index}] replaces {count:,} of {len(values):,} elements")
        where, what = self.get(sparse, "indices", dict), self.get(sparse, "values", dict)
        view, offset = self.get(where, "bufferView", int), self.get(where, "byteOffset", int, 0)
        places = self._elements(view, offset, self._component(where), count, 1)[:, 0].astype(np.int64)
        if count and (places.min() < 0 or places.max() >= len(values)):
            raise self.broken(f"accessors[{index}] replaces elements that do not exist")
        view, offset = self.get(what, "bufferView", int), self.get(what, "byteOffset", int, 0)
        values[places] = self._elements(view, offset, values.dtype, count, values.shape[1])
        return values

    def _component(self, holder: dict[str, Any]) -> "np.dtype[Any]":
        code = self.get(holder, "componentType", int)
        if code not in COMPONENTS:
            raise self.broken(f"the component type {code} is unknown")
        return np.dtype(COMPONENTS[code]).newbyteorder("<")

    def _elements(self, view: int, offset: int, dtype: "np.dtype[Any]", count: int, width: int) -> Array:
        """Elements [count, width], which may be interleaved with others (byteStride)."""
        content = self.buffer_view(view)
        size = dtype.itemsize * width
        stride = self.get(self.entry("bufferViews", view), "byteStride", int, size)
        needed = offset + stride * (count - 1) + size if count else 0
        if offset < 0 or stride < size or stride > 255 or needed > len(content):
            raise self.broken(f"bufferViews[{view}] has {len(content):,} bytes of the {needed:,} that are needed")
        raw: Array = np.ndarray((count, width), dtype, content, offset, (stride, dtype.itemsize))
        return raw

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            buffer = self.entry("buffers", index)
            uri = buffer.get("uri")
            if uri is not None:
                self._buffers[index] = self.resource(self.get(buffer, "uri", str), MAX_MESH_BYTES)
            elif index == 0 and self.binary is not None:
                self._buffers[index] = self.binary
            elif self.extension(buffer, "EXT_meshopt_compression") is not None:
                raise InputError(f"{self.path}: {COMPRESSED['EXT_meshopt_compression']}")
            else:
                raise self.broken(f"buffers[{index}] has no data")
            length = self.get(buffer, "byteLength", int)
            if length > len(self._buffers[index]):
                raise self.broken(f"buffers[{index}] has {len(self._buffers[index]):,} of its {length:,} bytes")
        return self._buffers[index]

    def resource(self, uri: str, limit: int) -> bytes:
        """The content of a data URI, or of a file in the folder of this one.

        Raises InputError for a path out of the folder, a missing file, or one of more than `limit` bytes.
        """
        if uri.startswith("data:"):
            head, _, body = uri.partition(",")
            try:
                return base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote(body).encode()
            except (binascii.Error, ValueError) as error:
                raise self.broken("a data URI is not valid base64") from error
        name, folder = unquote(uri), self.path.parent
        if "://" in name or "\0" in name:
            raise InputError(
                f"{self.path}: it refers to {name[:200]!r}; nothing is downloaded: put the file beside it."
            )
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{self.path}: {name} is outside the file's folder; move it there, or export as .glb.")
        if not path.is_file():
            raise InputError(f"{self.path}: the file {name} is missing; put it beside the .gltf, or export as .glb.")
        if path.stat().st_size > limit:
            raise InputError(f"{path}: {path.stat().st_size / 1e6:,.0f} MB are too much; at most {limit / 1e6:,.0f}.")
        return path.read_bytes()


COMPRESSED = {
    "KHR_draco_mesh_compression": "its meshes are compressed by Draco (KHR_draco_mesh_compression), which is not read; "
    "export without compression (Blender: Data > Compression off; gltf-transform: copy, or dequantize).",
    "EXT_meshopt_compression": "its data is compressed by meshopt (EXT_meshopt_compression), which is not read; export "
    "without compression (gltfpack without -c; gltf-transform copy).",
}


def normalised(values: Array) -> npt.NDArray[np.float64]:
    """Integers as fractions of their largest value, at least -1 [3.6.2.2]; floats unchanged."""
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    return np.maximum(values.astype(np.float64) / np.iinfo(values.dtype).max, -1.0)


def read_document(path: Path) -> GltfFile:
    """Parse a .glb file (it starts with glTF) or a .gltf file (JSON).

    Raises InputError if it is not glTF 2.0, is truncated, or is larger than `rfcli.scene.limits` allows.
    """
    size = path.stat().st_size
    if size > MAX_MESH_BYTES:
        raise InputError(f"{path}: {size / 1e9:.1f} GB are too much for a mesh; decimate it in another program.")
    with path.open("rb") as file:
        binary = None
        if file.read(4) == MAGIC:
            text, binary = _chunks(path, file.read())
        else:
            if size > MAX_SCENE_BYTES * 16:
                raise InputError(f"{path}: {size / 1e6:,.0f} MB are too much for a .gltf file; export as .glb.")
            file.seek(0)
            text = file.read()
    try:
        document = json.loads(text.decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        problem = str(error) if isinstance(error, ValueError) else "too deeply nested"
        raise InputError(f"{path}: the glTF part is not valid JSON ({problem}); export the file again.") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: the glTF part is not a JSON object; export the file again.")
    gltf = GltfFile(path, document, binary)
    version = gltf.get(gltf.get(document, "asset", dict), "version", str)
    if version.split(".")[0] != "2":
        raise InputError(f"{path}: it is glTF {version[:20]}, and glTF 2.0 is read; export it again.")
    return gltf


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _chunks(path: Path, content: bytes) -> tuple[bytes, bytes | None]:
    """JSON and binary chunk of a .glb file, of which `content` follows the magic word [4.4]."""
    text: bytes | None = None
    binary: bytes | None = None
    if len(content) < 8:
        raise InputError(f"{path}: the file ends within its header; copy or download it again.")
    version, length = struct.unpack("<II", content[:8])
    if version != 2:
        raise InputError(f"{path}: it is a .glb of version {version}, and version 2 is read; export it again.")
    if length > len(content) + 4:
        raise InputError(
            f"{path}: the file has {len(content) + 4:,} of its {length:,} bytes; copy or download it again."
        )
    place = 8
    while place + 8 <= len(content):
        size, kind = struct.unpack("<II", content[place : place + 8])
        place += 8
        if place + size > len(content):
            raise InputError(f"{path}: a chunk of {size:,} bytes goes beyond the end of the file; export it again.")
        if kind == JSON_CHUNK and text is None:
            text = content[place : place + size]
        elif kind == BINARY_CHUNK and binary is None:
            binary = content[place : place + size]
        place += size
    if text is None:
        raise InputError(f"{path}: the .glb has no JSON chunk; export it again.")
    return text, binary
