"""Object file format (OFF) of Geomview, as text, with colours of vertices and faces.

Written here because trimesh refuses faces of five corners and meshio all but triangles; assimp, which reads them, drops
the colours.
"""

import re
from pathlib import Path

import numpy as np

from rfcli.errors import InputError
from rfcli.scene.formats.colours import in_unit_range, linear_rgba
from rfcli.scene.formats.contents import Contents, Floats, Indices, Part
from rfcli.scene.formats.polygons import triangulated
from rfcli.scene.formats.text import as_lines, as_name, as_numbers, first_wrong_number

KEYWORD = re.compile(rb"(ST)?(C)?(N)?(4)?(n)?OFF")  # texture coordinates, colours, normals, 4 or n coordinates


def read_off(path: Path) -> Contents:
    """Read a file.

    Args:
        path: The file.

    Returns:
        One part; z is up.

    Raises:
        InputError: A line is wrong, which is named.
    """
    lines = [
        (number, words)
        for number, line in enumerate(as_lines(path.read_bytes()).split(b"\n"), 1)
        if (words := line.split(b"#", 1)[0].split())
    ]
    if not lines:
        raise InputError(f"{path}: the file is empty; export the mesh again.")
    keyword = KEYWORD.fullmatch(lines[0][1][0])
    if keyword:
        number, words = lines[0]
        if words[1:2] == [b"BINARY"]:
            raise InputError(f"{path}: binary OFF files are not read; export the mesh as text.")
        if keyword[4] or keyword[5]:
            raise InputError(f"{path}: vertices with more than three coordinates are not read; export three.")
        lines = [(number, words[1:]), *lines[1:]] if len(words) > 1 else lines[1:]
    vertex_count, face_count = _counts(path, lines)
    vertex_lines, face_lines = lines[1 : vertex_count + 1], lines[vertex_count + 1 : vertex_count + face_count + 1]
    if len(vertex_lines) + len(face_lines) < vertex_count + face_count:
        raise InputError(
            f"{path}: the file ends after {len(vertex_lines):,} of {vertex_count:,} vertices and {len(face_lines):,} "
            f"of {face_count:,} faces; export the mesh again."
        )
    rows = [_numbers(path, *line) for line in vertex_lines]
    for (line, _), row in zip(vertex_lines, rows, strict=True):
        if len(row) < 3:
            raise InputError(f"{path}: line {line}: a vertex has {len(row)} numbers, not 3; correct it.")
    vertices = np.array([row[:3] for row in rows]).reshape(-1, 3)
    corners, sizes, stored = _faces(path, face_lines, vertex_count)
    faces, owner = triangulated(path, vertices, corners, sizes)
    colours = _vertex_colours(rows, bool(keyword and keyword[3]), bool(keyword and keyword[1]))
    face_colours = _rgba(stored) if colours is None else None
    part = Part(
        name=path.stem,
        vertices=vertices,
        faces=corners[faces],
        colours=colours,
        face_colours=None if face_colours is None else face_colours[owner],
    )
    indexed = any(len(colour) == 1 for colour in stored)
    notes = ["Colours by number, of a table outside the file, are not used."] if indexed else []
    return Contents(parts=[part], up="z", notes=notes)


def _counts(path: Path, lines: list[tuple[int, list[bytes]]]) -> tuple[int, int]:
    number, words = lines[0] if lines else (1, [])
    if len(words) < 2 or not all(word.isdigit() and len(word) < 19 for word in words[:2]):
        text = as_name(b" ".join(words))[:60]
        raise InputError(f"{path}: line {number}: {text} is not the number of vertices and of faces; correct it.")
    return int(words[0]), int(words[1])


def _faces(path: Path, lines: list[tuple[int, list[bytes]]], count: int) -> tuple[Indices, Indices, list[list[bytes]]]:
    """Corners of all faces, the number of each, and the words after them, which are colours; lines are left out."""
    corners, sizes, stored = list[int](), list[int](), list[list[bytes]]()
    for number, words in lines:
        try:
            size = int(words[0])
            chosen = [int(word) for word in words[1 : size + 1]]
        except ValueError:
            raise InputError(f"{path}: line {number}: a face has words that are no numbers; correct it.") from None
        if size < 0 or len(chosen) < size:
            raise InputError(f"{path}: line {number}: a face of {size} corners has {len(chosen)}; correct it.")
        if size and not 0 <= min(chosen) <= max(chosen) < count:
            wrong = next(index for index in chosen if not 0 <= index < count)
            raise InputError(
                f"{path}: line {number}: a face has vertex {wrong:,}, but the file has {count:,}, counted from 0; "
                "correct it."
            )
        if size >= 3:
            corners += chosen
            sizes.append(size)
            stored.append(words[size + 1 :])
    return np.array(corners, dtype=np.int64), np.array(sizes, dtype=np.int64), stored


def _vertex_colours(rows: list[list[float]], normals: bool, texture: bool) -> Floats | None:
    """[M, 4] linear rgba; numbers after position and normal, before the two texture coordinates."""
    first, last = 6 if normals else 3, -2 if texture else None
    stored = [row[first:last] for row in rows]
    if not stored or not all(len(colour) in (3, 4) for colour in stored):
        return None
    width = min(len(colour) for colour in stored)
    return linear_rgba(in_unit_range(np.array([colour[:width] for colour in stored])))


def _rgba(stored: list[list[bytes]]) -> Floats | None:
    """[P, 4] linear rgba of words: three or four whole numbers up to 255, or numbers up to 1; white where absent."""
    if not any(len(words) in (3, 4) and first_wrong_number(words) is None for words in stored):
        return None
    rgba = np.ones((len(stored), 4))
    for row, words in zip(rgba, stored, strict=True):
        if len(words) in (3, 4) and first_wrong_number(words) is None:
            whole = all(word.isdigit() for word in words)
            row[: len(words)] = as_numbers(words) / (255 if whole else 1)
    return linear_rgba(rgba)


def _numbers(path: Path, number: int, words: list[bytes]) -> list[float]:
    try:
        return as_numbers(words).tolist()  # type: ignore[no-any-return]
    except ValueError:
        wrong = words[first_wrong_number(words) or 0]
        raise InputError(f"{path}: line {number}: {as_name(wrong)[:30]} is no number; correct it.") from None
