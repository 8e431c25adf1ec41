"""Wavefront OBJ, with the colours of its vertices and the materials of its MTL files.

Written here because no library reads what programs write: of eleven files that open in every modeller, trimesh 5 read
four right, assimp eight, meshio three. They stumble over comments at the end of lines, encodings other than UTF-8,
tabs, indices from the end between blocks of vertices, or fill concave faces in.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.formats.colours import in_unit_range, linear_rgba
from rfcli.scene.formats.contents import Contents, Floats, Indices, Material, Part
from rfcli.scene.formats.mtl import read_libraries
from rfcli.scene.formats.polygons import triangulated
from rfcli.scene.formats.text import as_lines, as_name, as_numbers, first_wrong_number
from rfcli.scene.limits import MAX_TRIANGLES

COMMENT = re.compile(rb"(?:^|\s)#.*")
MAX_VERTICES = 3 * MAX_TRIANGLES  # of which the faces of a mesh can use each once
LEFT_OUT = {b"l": "lines", b"p": "points", b"surf": "curved surfaces", b"curv": "curves"}


@dataclass
class _Lines:
    """What the lines of a file say, before anything is converted to numbers.

    Attributes:
        words: Words of all lines of one keyword: v, vt, vn.
        sizes: Number of words of each of these lines.
        numbers: Line number of each of these lines, from 1.
        corners: Words of all faces, such as b"3/1/2"; indices from the end are replaced.
        face_sizes: Number of corners of each face.
        face_lines: Line number of each face.
        materials: Number of the material of each face, -1 for none.
        names: Names of materials by number.
        libraries: Arguments of mtllib.
        left_out: Number of lines of each keyword in LEFT_OUT.
    """

    words: dict[bytes, list[bytes]] = field(default_factory=lambda: {b"v": [], b"vt": [], b"vn": []})
    sizes: dict[bytes, list[int]] = field(default_factory=lambda: {b"v": [], b"vt": [], b"vn": []})
    numbers: dict[bytes, list[int]] = field(default_factory=lambda: {b"v": [], b"vt": [], b"vn": []})
    corners: list[bytes] = field(default_factory=list)
    face_sizes: list[int] = field(default_factory=list)
    face_lines: list[int] = field(default_factory=list)
    materials: list[int] = field(default_factory=list)
    names: dict[bytes, int] = field(default_factory=dict)
    libraries: list[bytes] = field(default_factory=list)
    left_out: Counter[bytes] = field(default_factory=Counter)


def read_obj(path: Path, materials: bool = True) -> Contents:
    """Read a file.

    One vertex of the result is one combination of position, texture coordinate and normal, in the order of their
    indices, as in trimesh and so in the official converter.

    Args:
        path: The file.
        materials: Whether to read its MTL files and textures, which must be in its folder.

    Returns:
        One part for each material, in the order of their first faces; y is up, as most programs write it.

    Raises:
        InputError: A line is wrong, which is named.
    """
    lines = _scanned(path, as_lines(path.read_bytes()))
    positions, colours = _positions(path, lines)
    uv, normals = _vectors(path, lines, b"vt", 2), _vectors(path, lines, b"vn", 3)
    index = _corner_indices(path, lines, (len(positions), len(uv), len(normals)))
    sizes = np.array(lines.face_sizes, dtype=np.int64)
    face_material = np.array(lines.materials, dtype=np.int64)
    notes = [f"{count:,} {LEFT_OUT[key]} are left out." for key, count in sorted(lines.left_out.items())]
    palette: dict[bytes, Material] = {}
    if materials and lines.names:
        palette, problems = read_libraries(path, lines.libraries, list(lines.names))
        notes += problems
    parts = []
    corner_material = np.repeat(face_material, sizes)
    for number in dict.fromkeys(lines.materials):
        chosen, members = index[corner_material == number], sizes[face_material == number]
        # A part has normals or texture coordinates if all of its corners have.
        used = [True, *((chosen[:, 1:] >= 0).all(axis=0))]
        keys, corners = _distinct_rows(np.where(used, chosen, -1))
        faces, _ = triangulated(path, positions[keys[:, 0]], corners, members)
        name = next((name for name, value in lines.names.items() if value == number), b"")
        parts.append(
            Part(
                name=as_name(name),
                vertices=positions[keys[:, 0]],
                faces=corners[faces],
                normals=normals[keys[:, 2]] if used[2] else None,
                colours=None if colours is None else colours[keys[:, 0]],
                uv=uv[keys[:, 1]] * (1, -1) + (0, 1) if used[1] else None,
                material=palette.get(name),
            )
        )
    return Contents(parts=parts, up="y", notes=notes)


def _scanned(path: Path, content: bytes) -> _Lines:
    """Sorts the lines by keyword; a backslash at the end of a line joins it with the next."""
    lines = _Lines()
    words, sizes, numbers = lines.words, lines.sizes, lines.numbers
    counts = [sizes[key] for key in (b"v", b"vt", b"vn")]
    material, held = -1, b""
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.endswith(b"\\"):
            held += line[:-1] + b" "
            continue
        if held:
            line, held = held + line, b""
        if b"#" in line:
            full, line = line, COMMENT.sub(b"", line)
        else:
            full = line
        split = line.split()
        if not split:
            continue
        key = split[0]
        if key in words:
            words[key] += split[1:]
            sizes[key].append(len(split) - 1)
            numbers[key].append(number)
            if len(numbers[key]) > MAX_VERTICES:
                raise InputError(f"{path}: the file has more than {MAX_VERTICES:,} vertices; decimate the mesh.")
        elif key in (b"f", b"fo"):  # fo: faces of the first versions of the format
            corners = split[1:]
            if b"-" in line:
                corners = [_from_the_start(path, number, corner, counts) for corner in corners]
            if len(corners) < 3:
                lines.left_out[b"l" if len(corners) == 2 else b"p"] += 1
                continue
            lines.corners += corners
            lines.face_sizes.append(len(corners))
            lines.face_lines.append(number)
            lines.materials.append(material)
        elif key == b"usemtl":
            name = full.split(None, 1)[1].strip() if len(split) > 1 else b""
            material = lines.names.setdefault(name, len(lines.names))
        elif key == b"mtllib" and len(split) > 1:
            lines.libraries.append(full.split(None, 1)[1].strip())
        elif key in LEFT_OUT:
            lines.left_out[key] += 1
    return lines


def _from_the_start(path: Path, number: int, corner: bytes, counts: list[list[int]]) -> bytes:
    """A corner such as b"-1/-1" with indices from the start; `counts` are as long as the lists of v, vt and vn."""
    found = []
    for word, kind, counted in zip(corner.split(b"/"), ("vertices", "vt", "vn"), counts, strict=False):
        if word.startswith(b"-"):
            try:
                index = len(counted) + 1 + int(word)
            except ValueError:
                raise InputError(f"{path}: line {number}: {as_name(word)} is no index; correct it.") from None
            if index < 1:
                raise InputError(
                    f"{path}: line {number}: index {int(word)}, but {len(counted):,} {kind} come before; correct it."
                )
            word = b"%d" % index
        found.append(word)
    return b"/".join(found)


def _corner_indices(path: Path, lines: _Lines, limits: tuple[int, int, int]) -> Indices:
    """[K, 3] indices of position, texture coordinate and normal of each corner, from 0; -1 where there is none."""
    slashes = np.array([word.count(b"/") for word in lines.corners], dtype=np.int64)
    parts = lines.corners
    if slashes.any():
        parts = [part or b"0" for word in lines.corners for part in word.split(b"/")]
    try:
        values = np.array(parts, dtype=np.int64) if parts else np.empty(0, np.int64)
    except (ValueError, OverflowError):
        corner = next(i for i, word in enumerate(lines.corners) if not re.fullmatch(rb"\d{1,18}(/\d{0,18}){0,2}", word))
        raise InputError(
            f"{path}: line {_line_of(lines, corner)}: {as_name(lines.corners[corner])[:30]} is no corner of a face; "
            "correct it."
        ) from None
    index = np.zeros((len(lines.corners), 3), dtype=np.int64)
    first = np.cumsum(slashes + 1) - (slashes + 1)
    for column in range(3):
        has = slashes >= column
        index[has, column] = values[first[has] + column]
    kinds = ("vertex", "vt", "vn")
    if len(index) and (zero := index[:, 0] == 0).any():
        line = _line_of(lines, int(zero.argmax()))
        raise InputError(f"{path}: line {line}: index 0, but OBJ counts from 1; export the mesh again.")
    for column, (kind, limit) in enumerate(zip(kinds, limits, strict=True)):
        beyond = index[:, column] > limit
        if beyond.any():
            corner = int(beyond.argmax())
            raise InputError(
                f"{path}: line {_line_of(lines, corner)}: {kind} {index[corner, column]:,} of a face is not in the "
                f"file, which has {limit:,}; export the mesh again."
            )
    return index - 1


def _line_of(lines: _Lines, corner: int) -> int:
    face = int(np.searchsorted(np.cumsum(lines.face_sizes), corner, side="right"))
    return lines.face_lines[face]


def _positions(path: Path, lines: _Lines) -> tuple[Floats, Floats | None]:
    """Positions [M, 3], and colours [M, 4] linear rgba if a vertex has one: its 4th to 6th number, or up to the 7th."""
    values, sizes = _numbers(path, lines, b"v", 3)
    first = np.cumsum(sizes) - sizes
    positions = values[first[:, None] + np.arange(3)] if len(sizes) else np.empty((0, 3))
    coloured = sizes >= 6
    if not coloured.any():
        return positions, None
    rgb, alpha, with_alpha = np.ones((len(sizes), 3)), np.ones((len(sizes), 1)), sizes >= 7
    rgb[coloured] = in_unit_range(values[first[coloured][:, None] + np.arange(3, 6)])
    alpha[with_alpha, 0] = in_unit_range(values[first[with_alpha] + 6])
    return positions, linear_rgba(np.concatenate([rgb, alpha], axis=1))


def _vectors(path: Path, lines: _Lines, key: bytes, width: int) -> Floats:
    """[M, width] the first numbers of all lines of one keyword; missing ones are 0."""
    values, sizes = _numbers(path, lines, key, 1)
    vectors = np.zeros((len(sizes), width))
    first = np.cumsum(sizes) - sizes
    for column in range(width):
        has = sizes > column
        vectors[has, column] = values[first[has] + column]
    return vectors


def _numbers(path: Path, lines: _Lines, key: bytes, fewest: int) -> tuple[Floats, Indices]:
    """All numbers of the lines of a keyword, and how many each has."""
    words, sizes = lines.words[key], np.array(lines.sizes[key], dtype=np.int64)
    if len(sizes) and sizes.min() < fewest:
        line = lines.numbers[key][int(sizes.argmin())]
        raise InputError(f"{path}: line {line}: {as_name(key)} has {sizes.min()} numbers, not {fewest}; correct it.")
    try:
        return as_numbers(words), sizes
    except ValueError:
        wrong = first_wrong_number(words) or 0
        line = lines.numbers[key][int(np.searchsorted(np.cumsum(sizes), wrong, side="right"))]
        raise InputError(f"{path}: line {line}: {as_name(words[wrong])[:30]} is no number; correct it.") from None


def _distinct_rows(rows: Indices) -> tuple[Indices, Indices]:
    """The distinct rows, sorted, and the index of each row among them."""
    ranges = rows.max(axis=0, initial=-1) + 2
    if np.prod(ranges.astype(float)) < 2**62:  # one number for each row sorts many times as fast
        keys = ((rows[:, 0] + 1) * ranges[1] + rows[:, 1] + 1) * ranges[2] + rows[:, 2] + 1
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        return rows[first], inverse
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    return distinct, inverse.reshape(-1)
