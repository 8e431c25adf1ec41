"""Mesh files as programs write them: the same solids in every format, encoding and layout, with known surfaces."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Solid:
    """A closed surface of plane polygons.

    Attributes:
        points: [M, 3].
        polygons: Indices of points, counter-clockwise from outside.
        colours: [M, 3] uint8 sRGB.
        area, volume: In closed form.
    """

    points: Array
    polygons: list[list[int]]
    colours: npt.NDArray[np.uint8]
    area: float
    volume: float

    def polygon_colours(self) -> npt.NDArray[np.uint8]:
        """[P, 3] a colour for each polygon: that of its first point."""
        return self.colours[[polygon[0] for polygon in self.polygons]]


def prism(outline: list[tuple[float, float]], height: float, scale: float = 1.0, seed: int = 0) -> Solid:
    """An upright prism over a plane outline (counter-clockwise), which may be concave; area and volume by Gauss."""
    flat = np.array(outline) * scale
    n, h = len(flat), height * scale
    points = np.concatenate([np.column_stack([flat, np.zeros(n)]), np.column_stack([flat, np.full(n, h)])])
    polygons = [list(range(n))[::-1], list(range(n, 2 * n))]
    polygons += [[i, (i + 1) % n, (i + 1) % n + n, i + n] for i in range(n)]
    after = np.roll(flat, -1, axis=0)
    base = float((flat[:, 0] * after[:, 1] - flat[:, 1] * after[:, 0]).sum() / 2)
    around = float(np.linalg.norm(after - flat, axis=1).sum())
    colours = np.random.default_rng(seed).integers(0, 256, (2 * n, 3)).astype(np.uint8)
    return Solid(points, polygons, colours, 2 * base + around * h, base * h)


L_SHAPE = [(0.0, 0.0), (3.0, 0.0), (3.0, 1.0), (1.0, 1.0), (1.0, 2.0), (0.0, 2.0)]
STAR = [
    (
        (2.0 if i % 2 == 0 else 0.8) * float(np.cos(np.pi * i / 5)),
        (2.0 if i % 2 == 0 else 0.8) * float(np.sin(np.pi * i / 5)),
    )
    for i in range(10)
]
TRIANGLE = [(0.0, 0.0), (2.0, 0.0), (0.5, 1.5)]
OCTAGON = [(float(np.cos(np.pi * i / 4)), float(np.sin(np.pi * i / 4))) for i in range(8)]


def solids() -> list[Solid]:
    """A concave one, a star, a small far one, and convex ones in three sizes."""
    return [
        prism(L_SHAPE, 1.5, 1.0, 1),
        prism(STAR, 1.0, 100.0, 2),
        prism(TRIANGLE, 2.0, 1e-5, 3),
        prism(OCTAGON, 1.2, 25.4, 4),
    ]


def triangles_of(solid: Solid) -> list[list[int]]:
    """The polygons as triangles, by clipping ears: exact for simple polygons, written for tests only."""
    found = []
    for polygon in solid.polygons:
        left, points = list(polygon), solid.points
        normal = sum(np.cross(points[a], points[b]) for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True))
        while len(left) > 3:
            for i in range(len(left)):
                a, b, c = left[i - 1], left[i], left[(i + 1) % len(left)]
                turn = np.cross(points[b] - points[a], points[c] - points[b]) @ normal
                others = [p for p in left if p not in (a, b, c)]
                if turn > 0 and not any(_inside(points[p], points[[a, b, c]], normal) for p in others):
                    found.append([a, b, c])
                    left.pop(i)
                    break
            else:
                raise AssertionError("no ear")
        found.append(left)
    return found


def _inside(point: Array, corners: Array, normal: Array) -> bool:
    after = np.roll(corners, -1, axis=0)
    return bool((np.cross(after - corners, point - corners) @ normal >= 0).all())


# --- OBJ


def obj(
    solid: Solid,
    corner: str = "{v}",
    colours: int = 0,
    line: Callable[[str], str] = lambda text: text,
    newline: str = "\n",
    encoding: str = "utf-8",
    head: str = "# made for a test",
    face: str = "f",
    digits: int = 9,
) -> bytes:
    """OBJ text.

    corner: how a corner is written, of {v}, {t} and {n}; colours: largest value of vertex colours, 0 for none; line:
    changes every line; negative indices count from the last vertex.
    """
    lines = [head]
    for point, colour in zip(solid.points, solid.colours, strict=True):
        words = [f"{x:.{digits}g}" for x in point]
        if colours:
            words += [f"{c / 255 * colours:.6g}" for c in colour]
        lines.append("v " + " ".join(words))
    lines += ["vt 0.25 0.75", "vt 0.5 0.5 0", "vn 0 0 1"]
    for polygon in solid.polygons:
        corners = [corner.format(v=v + 1, t=1 + v % 2, n=1, m=v - len(solid.points)) for v in polygon]
        lines.append(f"{face} " + " ".join(corners))
    return newline.join(line(text) for text in [*lines, ""]).encode(encoding)


def obj_interleaved(solid: Solid) -> bytes:
    """Each polygon after its own vertices, counted backwards."""
    lines = []
    for polygon in solid.polygons:
        lines += ["v " + " ".join(f"{x:.9g}" for x in solid.points[p]) for p in polygon]
        lines.append("f " + " ".join(str(i - len(polygon)) for i in range(len(polygon))))
    return "\n".join(lines).encode()


# --- PLY


def ply(
    solid: Solid,
    order: str = "<",
    count: str = "uchar",
    index: str = "int",
    coordinate: str = "float",
    colours: str = "",
    face_colours: bool = False,
    extra: bool = False,
    triangles: bool = False,
    newline: str = "\n",
    name: str = "vertex_indices",
    comment: bytes = b"comment made for a test",
) -> bytes:
    """PLY; order "" is text. extra: an element before, scalars around the list and a second list in each face."""
    letter = {
        "uchar": "B",
        "ushort": "H",
        "int": "i",
        "uint": "I",
        "float": "f",
        "double": "d",
        "int32": "i",
        "uint8": "B",
    }
    polygons = triangles_of(solid) if triangles else solid.polygons
    header = [
        "ply",
        f"format {'ascii' if not order else 'binary_' + ('little' if order == '<' else 'big') + '_endian'} 1.0",
    ]
    marked = len(header)
    rows: list[list[tuple[str, list[float]]]] = []
    if extra:
        header += ["element camera 1", "property float a", "property list uchar float b"]
        rows.append([("f", [1.5]), ("B", [2]), ("ff", [0.5, 0.25])])
    header.append(f"element vertex {len(solid.points)}")
    header += [f"property {coordinate} {axis}" for axis in "xyz"]
    if colours:
        header += [f"property {colours} {c}" for c in ("red", "green", "blue")]
    for point, colour in zip(solid.points, solid.colours, strict=True):
        row = [(letter[coordinate] * 3, list(point))]
        if colours:
            values = colour / 255 if colours == "float" else colour
            row.append((letter[colours] * 3, list(values)))
        rows.append(row)
    header.append(f"element face {len(polygons)}")
    if extra:
        header.append("property uchar flags")
    header.append(f"property list {count} {index} {name}")
    if extra:
        header.append("property list uchar float weights")
    if face_colours:
        header += [f"property uchar {c}" for c in ("red", "green", "blue")]
    for polygon in polygons:
        row = [("B", [7])] if extra else []
        row += [(letter[count], [len(polygon)]), (letter[index] * len(polygon), list(polygon))]
        if extra:
            row += [("B", [1]), ("f", [0.5])]
        if face_colours:
            row.append(("BBB", list(solid.colours[polygon[0]])))
        rows.append(row)
    header.append("end_header")
    lines = [line.encode() for line in header]
    lines.insert(marked, comment)
    start = newline.encode().join(lines) + newline.encode()
    if order:
        return start + b"".join(
            struct.pack(order + kinds, *_typed(kinds, values)) for row in rows for kinds, values in row
        )
    text = [" ".join(_word(k, v) for kinds, values in row for k, v in zip(kinds, values, strict=True)) for row in rows]
    return start + newline.join([*text, ""]).encode()


def _typed(kinds: str, values: list[float]) -> list[float]:
    return [v if k in "fd" else int(v) for k, v in zip(kinds, values, strict=True)]


def _word(kind: str, value: float) -> str:
    return f"{value:.9g}" if kind in "fd" else str(int(value))


def ply_strips(solid: Solid, order: str = "") -> bytes:
    """PLY whose faces are one list of strips of one triangle each, divided by -1."""
    strip = [i for triangle in triangles_of(solid) for i in (*triangle, -1)]
    form = "ascii" if not order else "binary_little_endian" if order == "<" else "binary_big_endian"
    header = f"ply\nformat {form} 1.0\nelement vertex {len(solid.points)}\nproperty float x\nproperty float y\n"
    header += "property float z\nelement tristrips 1\nproperty list int int vertex_indices\nend_header\n"
    if order:
        body = struct.pack(f"{order}{solid.points.size}f", *solid.points.ravel())
        return header.encode() + body + struct.pack(f"{order}{len(strip) + 1}i", len(strip), *strip)
    lines = [" ".join(f"{x:.9g}" for x in point) for point in solid.points]
    return (header + "\n".join(lines) + f"\n{len(strip)} " + " ".join(map(str, strip)) + "\n").encode()


# --- STL


def stl_binary(
    solid: Solid, header: bytes = b"made for a test", count: int | None = None, tail: bytes = b"", colours: str = ""
) -> bytes:
    """Binary STL; count: what the file says; colours: "viscam" or "magics"."""
    triangles = triangles_of(solid)
    if colours == "magics":
        header = header + b" COLOR=" + bytes((10, 20, 30, 255))
    parts = [header.ljust(80, b"\0"), struct.pack("<I", len(triangles) if count is None else count)]
    for triangle in triangles:
        attribute = 0
        if colours:
            r, g, b = (int(c) >> 3 for c in solid.colours[triangle[0]])
            attribute = 1 << 15 | r << 10 | g << 5 | b if colours == "viscam" else b << 10 | g << 5 | r
        parts.append(struct.pack("<12fH", 0, 0, 0, *solid.points[triangle].ravel(), attribute))
    return b"".join(parts) + tail


def stl_text(
    solid: Solid,
    name: bytes = b"solid",
    end: bool = True,
    newline: bytes = b"\n",
    upper: bool = False,
    indent: bytes = b"  ",
) -> bytes:
    """Text STL."""
    lines = [b"solid " + name]
    for triangle in triangles_of(solid):
        lines += [b"facet normal 0 0 0", indent + b"outer loop"]
        lines += [indent * 2 + b"vertex " + b" ".join(b"%.9e" % x for x in solid.points[p]) for p in triangle]
        lines += [indent + b"endloop", b"endfacet"]
    lines += [b"endsolid"] if end else []
    text = newline.join([*lines, b""])
    return text.upper().replace(b"SOLID", b"solid", 1) if upper else text


# --- OFF


def off(
    solid: Solid,
    keyword: str = "OFF\n",
    vertex_colours: int = 0,
    face_colours: int = 0,
    normals: bool = False,
    comments: bool = False,
    newline: str = "\n",
    encoding: str = "utf-8",
) -> bytes:
    """OFF; colours: their largest value, 1 or 255, 0 for none."""
    lines = [f"{keyword}{len(solid.points)} {len(solid.polygons)} 0"]
    for point, colour in zip(solid.points, solid.colours, strict=True):
        words = [f"{x:.9g}" for x in point] + (["0", "0", "1"] if normals else [])
        if vertex_colours:
            words += [f"{c / 255 * vertex_colours:.6g}" for c in colour] + [str(vertex_colours)]
        lines.append(" ".join(words) + (" # a corner" if comments else ""))
    if comments:
        lines += ["", "# faces"]
    for polygon, colour in zip(solid.polygons, solid.polygon_colours(), strict=True):
        words = [len(polygon), *polygon]
        if face_colours:
            words += [f"{c / 255:.6f}" if face_colours == 1 else str(c) for c in colour]
        lines.append(" ".join(map(str, words)))
    return "\n".join([*lines, ""]).replace("\n", newline).encode(encoding)
