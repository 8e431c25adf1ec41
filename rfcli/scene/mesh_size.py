"""How many triangles a mesh file announces, found without reading them: a few bytes may announce a million."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rfcli.errors import InputError
from rfcli.scene.limits import LARGEST_MESH_FILE, LARGEST_SCENE

HEADER = 1 << 16  # bytes within which formats with a header announce their counts
BLOCK = 1 << 22  # bytes read at a time where faces have to be counted
STL_TRIANGLE, STL_TEXT_TRIANGLE = 50, 85  # bytes of a triangle in a binary STL, and at least in a text one


def check_mesh_size(path: Path) -> int:
    """Triangles, at least, that the file announces; 0 for formats and headers that say nothing.

    Raises InputError where they or the file are larger than `rfcli.scene.limits` allows.
    """
    size = path.stat().st_size
    if size > LARGEST_MESH_FILE:
        raise InputError(f"{path}: {size / 1e9:.1f} GB are too much for a mesh; decimate it elsewhere.")
    triangles = ANNOUNCED.get(path.suffix.lower(), _nothing)(path)
    check_count(path, triangles)
    return triangles


def check_count(path: Path, triangles: int) -> None:
    """Raises InputError where a mesh has more than LARGEST_SCENE triangles."""
    if triangles > LARGEST_SCENE:
        raise InputError(
            f"{path}: {triangles:,} triangles are more than a scene can have, {LARGEST_SCENE:,}; decimate the mesh."
        )


def _nothing(path: Path) -> int:
    return 0


def _obj(path: Path) -> int:
    """Lines that begin with f."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            count += (last + block).count(b"\nf")
            last = block[-1:]
    return count


def _ply(path: Path) -> int:
    header = _head(path).partition(b"end_header")[0]
    counts = {name: int(count) for name, count in re.findall(rb"element\s+(\w+)\s+(\d{1,30})", header)}
    return max(counts.get(b"face", 0), counts.get(b"vertex", 0) // 3)


def _stl(path: Path) -> int:
    start = _head(path)[:1024].lstrip()
    text = start.startswith(b"solid") and b"facet" in start
    return path.stat().st_size // (STL_TEXT_TRIANGLE if text else STL_TRIANGLE)


def _off(path: Path) -> int:
    header = re.sub(rb"#[^\n]*", b"", _head(path))
    found = re.match(rb"\s*[A-Z]*OFF\s+(\d{1,30})\s+(\d{1,30})", header)
    return max(int(found[2]), int(found[1]) // 3) if found else 0


def _glb(path: Path) -> int:
    """Indices of every mesh, as often as a node shows it; the JSON part comes first in the file."""
    with path.open("rb") as file:
        start = file.read(20)
        if len(start) < 20:
            return 0
        length = struct.unpack("<I", start[12:16])[0]
        try:
            tree = json.loads(file.read(min(length, LARGEST_MESH_FILE)))
            per_mesh = [sum(_elements(tree, part) for part in mesh["primitives"]) for mesh in tree["meshes"]]
            shown = [node["mesh"] for node in tree.get("nodes", []) if "mesh" in node]
            largest = max((accessor["count"] for accessor in tree.get("accessors", [])), default=0)
            return int(max(sum(per_mesh[mesh] for mesh in shown), *per_mesh, largest // 3))
        except (ValueError, OverflowError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return 0  # broken: its reader says so


def _elements(tree: dict[str, Any], primitive: dict[str, Any]) -> int:
    """Triangles of a glTF primitive."""
    accessor = primitive.get("indices", primitive["attributes"]["POSITION"])
    return int(tree["accessors"][accessor]["count"]) // 3


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEADER)


ANNOUNCED: dict[str, Callable[[Path], int]] = {".obj": _obj, ".ply": _ply, ".stl": _stl, ".off": _off, ".glb": _glb}
