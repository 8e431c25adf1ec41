"""Triangle counts that mesh files declare, found without reading the triangles: few bytes can declare millions."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rfcli.errors import InputError
from rfcli.scene.limits import MAX_MESH_BYTES, MAX_TRIANGLES

HEADER_BYTES = 1 << 16  # in which formats with a header declare their counts
BLOCK_BYTES = 1 << 22  # read at a time where faces are counted
BINARY_STL_BYTES = 50  # per triangle
TEXT_STL_BYTES = 85  # per triangle, at least


def check_mesh_size(path: Path) -> int:
    """Lower bound of the triangles that the file declares; 0 for formats without a count.

    Raises InputError if the count or the file is larger than `rfcli.scene.limits` allows.
    """
    size = path.stat().st_size
    if size > MAX_MESH_BYTES:
        raise InputError(f"{path}: {size / 1e9:.1f} GB are too much for a mesh; decimate it in another program.")
    count = COUNTERS.get(path.suffix.lower())
    triangles = count(path) if count else 0
    check_count(path, triangles)
    return triangles


def check_count(path: Path, triangles: int) -> None:
    """Raise InputError if a mesh has more than MAX_TRIANGLES triangles."""
    if triangles > MAX_TRIANGLES:
        raise InputError(
            f"{path}: {triangles:,} triangles are more than a scene can have, {MAX_TRIANGLES:,}; decimate the mesh."
        )


def _count_obj(path: Path) -> int:
    """Lines that begin with f."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            count += (last + block).count(b"\nf")
            last = block[-1:]
    return count


def _count_ply(path: Path) -> int:
    header = _header(path).partition(b"end_header")[0]
    counts = {name: int(count) for name, count in re.findall(rb"element\s+(\w+)\s+(\d{1,30})", header)}
    return max(counts.get(b"face", 0), counts.get(b"vertex", 0) // 3)


def _count_stl(path: Path) -> int:
    start = _header(path)[:1024].lstrip()
    text = start.startswith(b"solid") and b"facet" in start
    return path.stat().st_size // (TEXT_STL_BYTES if text else BINARY_STL_BYTES)


def _count_off(path: Path) -> int:
    header = re.sub(rb"#[^\n]*", b"", _header(path))
    found = re.match(rb"\s*[A-Z]*OFF\s+(\d{1,30})\s+(\d{1,30})", header)
    return max(int(found[2]), int(found[1]) // 3) if found else 0


def _count_glb(path: Path) -> int:
    """Triangles of all nodes, from the JSON part, which comes first in the file."""
    with path.open("rb") as file:
        start = file.read(20)
        if len(start) < 20:
            return 0
        length = struct.unpack("<I", start[12:16])[0]
        try:
            tree = json.loads(file.read(min(length, MAX_MESH_BYTES)))
            per_mesh = [sum(_primitive_triangles(tree, part) for part in mesh["primitives"]) for mesh in tree["meshes"]]
            shown = [node["mesh"] for node in tree.get("nodes", []) if "mesh" in node]
            largest = max((accessor["count"] for accessor in tree.get("accessors", [])), default=0)
            return int(max(sum(per_mesh[mesh] for mesh in shown), *per_mesh, largest // 3))
        except (ValueError, OverflowError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return 0  # a broken file: the mesh reader reports it


def _primitive_triangles(tree: dict[str, Any], primitive: dict[str, Any]) -> int:
    accessor = primitive.get("indices", primitive["attributes"]["POSITION"])
    return int(tree["accessors"][accessor]["count"]) // 3


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEADER_BYTES)


COUNTERS: dict[str, Callable[[Path], int]] = {
    ".obj": _count_obj,
    ".ply": _count_ply,
    ".stl": _count_stl,
    ".off": _count_off,
    ".glb": _count_glb,
}
