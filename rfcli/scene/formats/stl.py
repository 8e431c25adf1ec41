"""STL, text and binary, with the colours that some programs store in the attributes of binary faces.

Written here because trimesh, assimp and meshio all refuse binary files with bytes after the last triangle, and some of
them names that are not UTF-8, counts of 0 and missing endsolid lines.
"""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene.formats.colours import linear_rgba
from rfcli.scene.formats.contents import Contents, Floats, Part
from rfcli.scene.formats.polygons import triangulated
from rfcli.scene.formats.text import as_lines, as_name, as_numbers, first_wrong_number

HEADER = 84  # bytes of a binary file before its triangles: 80 of text, 4 of their number
UNKNOWN_COUNTS = (0, 0xFFFFFFFF)  # written by programs that do not know the number when they begin
ROW = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
START = 4096  # bytes in which a text file has its first facet


def read_stl(path: Path) -> Contents:
    """Read a file.

    Args:
        path: The file.

    Returns:
        One part, in which no triangles share vertices; z is up, as for printers.

    Raises:
        InputError: The file is too short or a line is wrong.
    """
    content = path.read_bytes()
    if is_text(content):
        return _read_text(path, as_lines(content))
    return _read_binary(path, content)


def is_text(content: bytes) -> bool:
    """Whether a file is text: it begins with solid, as binary headers may, too, and soon has a facet."""
    start = as_lines(content[:START]).lstrip().lower()
    return start.startswith(b"solid") and (b"facet" in start or b"endsolid" in start) and b"\0" not in start


def _read_binary(path: Path, content: bytes) -> Contents:
    if len(content) < HEADER:
        raise InputError(f"{path}: {len(content)} bytes are too few for an STL file; export the mesh again.")
    declared, available = int.from_bytes(content[80:HEADER], "little"), (len(content) - HEADER) // ROW.itemsize
    notes = []
    count = declared
    if declared in UNKNOWN_COUNTS and available:
        count = available
        notes.append(f"The number of triangles at byte 80 is {declared:,}; {count:,} were found and read.")
    if count > available:
        raise InputError(
            f"{path}: byte 80 says {declared:,} triangles, but the file ends after {available:,}; export "
            "the mesh again."
        )
    rows = np.frombuffer(content, ROW, count, HEADER)
    part = Part(
        name=path.stem,
        vertices=rows["corners"].reshape(-1, 3).astype(np.float64),
        faces=np.arange(3 * count).reshape(-1, 3),
        face_colours=_colours(content[:80], rows["attribute"]),
    )
    return Contents(parts=[part], up="z", notes=notes)


def _colours(header: bytes, attribute: npt.NDArray[np.uint16]) -> Floats | None:
    """[F, 4] linear rgba of 15 bits of an attribute; None if the file has none.

    Two conventions: with COLOR=rgba in the header (Materialise Magics), red is in the lowest bits and bit 15 means the
    colour of the header; otherwise (VisCAM, SolidView) blue is in the lowest bits and bit 15 means that there is one.
    """
    default = re.search(rb"COLOR=(.{4})", header, re.DOTALL)
    channels = np.stack([attribute >> shift & 31 for shift in (0, 5, 10)], axis=1) / 31.0
    marked = attribute >> 15 == 1
    if default:
        whole = np.array(list(default[1])) / 255
        rgba = np.concatenate([channels, np.ones((len(channels), 1))], axis=1)
        return linear_rgba(np.where(marked[:, None], whole, rgba))
    if not marked.any():
        return None
    return linear_rgba(np.where(marked[:, None], channels[:, ::-1], 1.0))


def _read_text(path: Path, text: bytes) -> Contents:
    """Every `vertex` up to `endloop` is a corner of one face; names, normals and missing ends do not matter."""
    words, sizes, corners = [], [], 0
    for number, line in enumerate(text.split(b"\n"), 1):
        split = line.split()
        if not split:
            continue
        keyword = split[0].lower()
        if keyword == b"vertex":
            if len(split) < 4 or first_wrong_number(split[1:4]) is not None:
                raise InputError(
                    f"{path}: line {number}: {as_name(line).strip()[:60]} is no vertex with three numbers; correct it."
                )
            words += split[1:4]
            corners += 1
        elif keyword in (b"endloop", b"endfacet") and corners:
            sizes.append(corners)
            corners = 0
    vertices = as_numbers(words).reshape(-1, 3)[: sum(sizes)]
    few = [number for number, size in enumerate(sizes, 1) if size < 3]
    if few:
        raise InputError(f"{path}: facet {few[0]:,} has {sizes[few[0] - 1]} vertices, not 3; export the mesh again.")
    notes = [f"The last facet has no end and {corners} vertices; it is left out."] if corners else []
    faces, _ = triangulated(path, vertices, np.arange(len(vertices)), np.array(sizes, dtype=np.int64))
    return Contents(parts=[Part(name=path.stem, vertices=vertices, faces=faces)], up="z", notes=notes)
