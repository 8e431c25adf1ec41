"""Polygon files (PLY), text and binary, with colours of vertices and faces, normals and texture coordinates.

Written here because no library that may be used reads what programs write: trimesh and meshio refuse faces of several
sizes beside other properties, comments that are not UTF-8 and triangle strips, which assimp reads wrongly; plyfile,
which reads all, is under the GPL.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rfcli.errors import InputError
from rfcli.scene.formats.colours import in_unit_range, linear_rgba
from rfcli.scene.formats.contents import Contents, Floats, Indices, Part
from rfcli.scene.formats.polygons import triangulated
from rfcli.scene.formats.text import as_lines, as_name, as_numbers, first_wrong_number

HEADER_BYTES = 1 << 20  # in which the header must end
TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
    **dict.fromkeys(("long", "int64"), "i8"),  # not in the format, but written by some programs
    **dict.fromkeys(("ulong", "uint64"), "u8"),
}
ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
FACES, STRIPS = ("face", "faces", "polygon"), ("tristrips", "tristrip")
CORNERS = ("vertex_indices", "vertex_index", "vertex_ids", "vertex_indexes")
COLOURS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))


@dataclass(frozen=True)
class _Property:
    """One property of an element; `count` is the type of the length of a list, "" for a single value."""

    name: str
    kind: str
    count: str = ""


@dataclass(frozen=True)
class _Element:
    """A table of the file."""

    name: str
    rows: int
    properties: list[_Property]


@dataclass(frozen=True)
class _Lists:
    """A column of lists: all values, and the length of each list."""

    values: npt.NDArray[Any]
    sizes: Indices


Column = npt.NDArray[Any] | _Lists
Table = dict[str, Column]


def read_ply(path: Path) -> Contents:
    """Read a file.

    Args:
        path: The file.

    Returns:
        One part; z is up, as scanners and most programs write it.

    Raises:
        InputError: The header or the data is wrong; the element and its row are named.
    """
    content = path.read_bytes()
    order, elements, start = _header(path, content)
    for element in elements:
        if element.rows > len(content):
            raise InputError(
                f"{path}: the header declares {element.rows:,} rows of {element.name}, but the file has "
                f"{len(content):,} bytes; export the mesh again."
            )
    if order:
        tables = _binary_tables(path, content, start, order, elements)
    else:
        tables = _text_tables(path, as_lines(content[start:]), elements)
    return _contents(path, elements, tables)


def _header(path: Path, content: bytes) -> tuple[str, list[_Element], int]:
    """Byte order ("" for text), elements, and where the data starts."""
    content = content[:HEADER_BYTES]
    found = re.search(rb"(?:^|[\r\n])[ \t]*end_header[ \t]*(\r\n|\n|\r)", content)
    first = re.match(rb"(?:\xef\xbb\xbf)?\s*ply[ \t]*(\r\n|\n|\r)", content, re.IGNORECASE)
    if not first:
        raise InputError(f"{path}: the file does not begin with ply, so it is no PLY file; correct its name.")
    if not found:
        raise InputError(f"{path}: the header has no line end_header; export the mesh again.")
    start = found.end()
    if found[1] == b"\r\n" and first[1] == b"\r":  # the header's lines end in \r, and \n is the first byte of the data
        start -= 1
    order, elements = "", list[_Element]()
    for number, line in enumerate(as_lines(content[: found.start()]).split(b"\n"), 1):
        words = as_name(line).split()
        try:
            if words[:1] == ["format"]:
                order = ORDERS[words[1].lower()]
            elif words[:1] == ["element"]:
                elements.append(_Element(words[1].lower(), int(words[2]), []))
                if elements[-1].rows < 0:
                    raise ValueError
            elif words[:2] == ["property", "list"]:
                elements[-1].properties.append(
                    _Property(words[4].lower(), TYPES[words[3].lower()], TYPES[words[2].lower()])
                )
            elif words[:1] == ["property"]:
                elements[-1].properties.append(_Property(words[2].lower(), TYPES[words[1].lower()]))
        except (KeyError, IndexError, ValueError):
            raise InputError(
                f"{path}: line {number} of the header, {' '.join(words)[:60]}, is not understood; export it again."
            ) from None
    return order, elements, start


def _contents(path: Path, elements: list[_Element], tables: dict[str, Table]) -> Contents:
    vertex = tables.get("vertex", {})
    absent = [axis for axis in "xyz" if not isinstance(vertex.get(axis), np.ndarray)]
    if absent:
        raise InputError(f"{path}: the vertices have no {', '.join(absent)}; export the mesh again.")
    vertices = _columns(vertex, ("x", "y", "z"))
    faces, owner, corners, table = _faces(path, vertices, tables)
    notes = []
    colours = _colours(path, vertex)
    face_colours = _colours(path, table)
    if any(property.name == "texcoord" for element in elements for property in element.properties):
        notes.append("Texture coordinates of faces, and the texture of the file, are not used.")
    elif any(name in vertex for names in COORDINATES for name in names) and colours is None:
        notes.append("The file has texture coordinates, but PLY cannot say which texture; the mesh has no colours.")
    uv = next((_columns(vertex, names) for names in COORDINATES if all(name in vertex for name in names)), None)
    normal = ("nx", "ny", "nz")
    part = Part(
        name=path.stem,
        vertices=vertices,
        faces=corners[faces],
        normals=_columns(vertex, normal) if all(name in vertex for name in normal) else None,
        colours=colours,
        face_colours=None if face_colours is None or colours is not None else face_colours[owner],
        uv=None if uv is None else uv * (1, -1) + (0, 1),
    )
    return Contents(parts=[part], up="z", notes=notes)


def _faces(path: Path, vertices: Floats, tables: dict[str, Table]) -> tuple[Indices, Indices, Indices, Table]:
    """Triangles as positions in a list of corners, the face of each, the corners, and the table of the faces."""
    for name in FACES:
        table = tables.get(name, {})
        lists = next((table[key] for key in CORNERS if isinstance(table.get(key), _Lists)), None)
        if isinstance(lists, _Lists):
            corners, sizes = lists.values.astype(np.int64), lists.sizes
            _check_corners(path, name, corners, sizes, len(vertices))
            enough = sizes >= 3
            corners, used = corners[np.repeat(enough, sizes)], np.flatnonzero(enough)
            faces, owner = triangulated(path, vertices, corners, sizes[enough])
            return faces, used[owner], corners, table
    for name in STRIPS:
        table = tables.get(name, {})
        strips = next((value for value in table.values() if isinstance(value, _Lists)), None)
        if strips is not None:
            corners = strips.values.astype(np.int64)
            faces, owner = _strip_triangles(corners, strips.sizes)
            _check_corners(path, name, np.where(corners < 0, 0, corners), strips.sizes, len(vertices))
            return faces, owner, corners, table
    raise InputError(f"{path}: the file has vertices but no faces (a point cloud); reconstruct its surface first.")


def _check_corners(path: Path, name: str, corners: Indices, sizes: Indices, count: int) -> None:
    wrong = (corners < 0) | (corners >= count)
    if wrong.any():
        corner = int(wrong.argmax())
        row = int(np.searchsorted(np.cumsum(sizes), corner, side="right"))
        raise InputError(
            f"{path}: {name} {row:,} has vertex {corners[corner]:,}, but the file has {count:,} vertices, counted from "
            "0; export the mesh again."
        )


def _strip_triangles(corners: Indices, sizes: Indices) -> tuple[Indices, Indices]:
    """Triangles of strips, of which -1 begins a new one; every second triangle of a strip is wound backwards."""
    ends = np.cumsum(sizes)
    begins = np.zeros(len(corners), dtype=bool)
    begins[(ends - sizes)[sizes > 0]] = True
    begins[1:] |= corners[:-1] < 0
    position = np.arange(len(corners))
    since = position - np.maximum.accumulate(np.where(begins, position, 0))
    third = np.flatnonzero((since >= 2) & (corners >= 0))
    third = third[(corners[third - 1] >= 0) & (corners[third - 2] >= 0)]
    odd = since[third] % 2
    triangles = np.stack([third - 2 + odd, third - 1 - odd, third], axis=1)
    return triangles, np.searchsorted(ends, third, side="right")


def _columns(table: Table, names: tuple[str, ...]) -> Floats:
    return np.stack([np.asarray(table[name], dtype=np.float64) for name in names], axis=1)


def _colours(path: Path, table: Table) -> Floats | None:
    """[N, 4] linear rgba of a table; None if it has no colours. Integers are shares of the largest of their type."""
    names = next((names for names in COLOURS if all(isinstance(table.get(name), np.ndarray) for name in names)), None)
    if names is None:
        return None
    alpha = next((name for name in ("alpha", "a", "diffuse_alpha") if isinstance(table.get(name), np.ndarray)), None)
    stored = [table[name] for name in (*names, alpha) if name is not None]
    if all(isinstance(column, np.ndarray) and column.dtype == np.uint16 for column in stored):
        return linear_rgba(np.stack([np.asarray(column) / 65535 for column in stored], axis=1))
    if all(isinstance(column, np.ndarray) and column.dtype.kind in "iu" for column in stored):
        return linear_rgba(np.stack([np.asarray(column) / 255 for column in stored], axis=1))
    rgb = in_unit_range(_columns(table, names))
    rest = [in_unit_range(_columns(table, (alpha,)))] if alpha else []
    return linear_rgba(np.concatenate([rgb, *rest], axis=1))


def _binary_tables(path: Path, content: bytes, start: int, order: str, elements: list[_Element]) -> dict[str, Table]:
    tables = {}
    for element in elements:
        if not any(property.count for property in element.properties):
            row = np.dtype([(f"{i}", order + property.kind) for i, property in enumerate(element.properties)])
            _check_length(path, element, content, start, row.itemsize * element.rows)
            block = np.frombuffer(content, row, element.rows, start)
            table: Table = {property.name: block[f"{i}"] for i, property in enumerate(element.properties)}
            start += row.itemsize * element.rows
        else:
            table, start = _binary_lists(path, content, start, order, element)
        tables[element.name] = table
    return tables


def _binary_lists(path: Path, content: bytes, start: int, order: str, element: _Element) -> tuple[Table, int]:
    """The table of an element with lists, and where it ends. Rows are found one by one unless all are of one size."""
    properties = element.properties
    equal = _equal_lists(content, start, order, element)
    if equal is not None:
        return equal
    offsets = np.empty((len(properties), element.rows), dtype=np.int64)
    sizes = np.ones((len(properties), element.rows), dtype=np.int64)
    widths = [np.dtype(property.kind).itemsize for property in properties]
    counts = [np.dtype(property.count).itemsize if property.count else 0 for property in properties]
    signed = [property.count.startswith("i") for property in properties]
    endian = "big" if order == ">" else "little"
    at = start
    for row in range(element.rows):
        for column, (width, count) in enumerate(zip(widths, counts, strict=True)):
            size = 1
            if count:
                size = int.from_bytes(content[at : at + count], endian, signed=signed[column])  # type: ignore[arg-type]
                at += count
                if size < 0 or at + size * width > len(content):
                    break
                sizes[column, row] = size
            offsets[column, row] = at
            at += size * width
        else:
            if at <= len(content):
                continue
        raise InputError(
            f"{path}: the file ends in {element.name} {row:,} of {element.rows:,}, at byte {len(content):,}; export "
            "the mesh again."
        )
    table: Table = {}
    raw = np.frombuffer(content, np.uint8)
    for column, (property, width) in enumerate(zip(properties, widths, strict=True)):
        length = sizes[column]
        inside = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        first = np.repeat(offsets[column], length) + inside * width
        values = raw[first[:, None] + np.arange(width)].reshape(-1).view(order + property.kind)
        table[property.name] = _Lists(values, length) if property.count else values
    return table, at


def _equal_lists(content: bytes, start: int, order: str, element: _Element) -> tuple[Table, int] | None:
    """As `_binary_lists`, if all rows have lists of the same lengths as the first; None otherwise."""
    fields: list[Any] = []
    at = start
    lengths = []
    for i, property in enumerate(element.properties):
        length = 1
        if property.count:
            count = np.dtype(order + property.count)
            if at + count.itemsize > len(content):
                return None
            length = int(np.frombuffer(content, count, 1, at)[0])
            fields.append((f"n{i}", count))
            at += count.itemsize
        if not 0 <= length <= len(content):
            return None
        fields.append((f"{i}", order + property.kind, (length,)))
        lengths.append(length)
        at += length * np.dtype(property.kind).itemsize
    size = at - start
    if start + size * element.rows > len(content):
        return None
    block = np.frombuffer(content, np.dtype(fields), element.rows, start)
    table: Table = {}
    for i, (property, length) in enumerate(zip(element.properties, lengths, strict=True)):
        if property.count and not (block[f"n{i}"] == length).all():
            return None
        values = block[f"{i}"].reshape(-1)
        table[property.name] = _Lists(values, np.full(element.rows, length)) if property.count else values
    return table, start + size * element.rows


def _check_length(path: Path, element: _Element, content: bytes, start: int, size: int) -> None:
    if start + size > len(content):
        whole = max(len(content) - start, 0) * element.rows // max(size, 1)
        raise InputError(
            f"{path}: the file ends at byte {len(content):,}, after {whole:,} of {element.rows:,} rows of "
            f"{element.name}; export the mesh again."
        )


def _text_tables(path: Path, text: bytes, elements: list[_Element]) -> dict[str, Table]:
    """Tables of a text file: numbers in a row, whatever the line ends."""
    if b"comment" in text:
        text = re.sub(rb"(?m)^[ \t]*comment[^\n]*", b"", text)
    words = text.split()
    tables, at = {}, 0
    for element in elements:
        if not any(property.count for property in element.properties):
            width = len(element.properties)
            block = _numbers(path, element, words[at : at + width * element.rows]).reshape(-1)
            if len(block) < width * element.rows:
                raise _ended(path, element, len(block) // max(width, 1))
            rows = block.reshape(element.rows, width)
            table: Table = {
                property.name: _of_type(rows[:, i], property) for i, property in enumerate(element.properties)
            }
            at += width * element.rows
        else:
            table, at = _text_lists(path, words, at, element)
        tables[element.name] = table
    return tables


def _text_lists(path: Path, words: list[bytes], at: int, element: _Element) -> tuple[Table, int]:
    values = _numbers(path, element, words[at:])
    whole = np.where(np.abs(values) < 2**53, values, -1).astype(np.int64).tolist()
    offsets = np.empty((len(element.properties), element.rows), dtype=np.int64)
    sizes = np.ones((len(element.properties), element.rows), dtype=np.int64)
    lists, position = [bool(property.count) for property in element.properties], 0
    for row in range(element.rows):
        for column, is_list in enumerate(lists):
            size = 1
            if is_list:
                if position >= len(whole):
                    raise _ended(path, element, row)
                size = whole[position]
                position += 1
            if size < 0 or position + size > len(whole):
                raise _ended(path, element, row)
            sizes[column, row], offsets[column, row] = size, position
            position += size
    table: Table = {}
    for column, property in enumerate(element.properties):
        length = sizes[column]
        inside = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        found = _of_type(values[np.repeat(offsets[column], length) + inside], property)
        table[property.name] = _Lists(found, length) if property.count else found
    return table, at + position


def _of_type(values: Floats, property: _Property) -> npt.NDArray[Any]:
    """Numbers of a text file in the type that the header says, if it is one of integers and all are."""
    if property.kind[0] in "iu" and np.isfinite(values).all() and np.abs(values).max(initial=0) < 2**53:
        if (values < 0).any() or property.kind[0] == "i":
            return values.astype(np.int64)
        return values.astype(property.kind) if (values < 2 ** (8 * int(property.kind[1]))).all() else values
    return values


def _numbers(path: Path, element: _Element, words: list[bytes]) -> Floats:
    try:
        return as_numbers(words)
    except ValueError:
        wrong = first_wrong_number(words) or 0
        raise InputError(
            f"{path}: {as_name(words[wrong])[:30]}, in the element {element.name} or after it, is no number; correct "
            "it."
        ) from None


def _ended(path: Path, element: _Element, rows: int) -> InputError:
    return InputError(
        f"{path}: the file ends after {rows:,} of {element.rows:,} rows of {element.name}; export the mesh again."
    )
