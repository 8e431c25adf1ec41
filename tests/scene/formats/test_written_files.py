"""Every format, encoding and layout: the surface, its orientation and its colours are those that were written."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from rfcli.scene.formats.contents import Part
from rfcli.scene.formats.read import read_contents
from rfcli.scene.geometry import triangle_areas
from tests.support.mesh_files import Solid, obj, obj_interleaved, off, ply, ply_strips, solids, stl_binary, stl_text

# What is written, by name: format, whether trimesh reads it rightly (an independent reader), the writer.
Layout = tuple[str, bool, Callable[[Solid], bytes]]
LAYOUTS: dict[str, Layout] = {
    "obj": (".obj", False, obj),
    "obj with texture coordinates": (".obj", False, lambda s: obj(s, "{v}/{t}")),
    "obj with normals": (".obj", False, lambda s: obj(s, "{v}//{n}")),
    "obj with both": (".obj", False, lambda s: obj(s, "{v}/{t}/{n}")),
    "obj from the end": (".obj", False, lambda s: obj(s, "{m}")),
    "obj from the end with both": (".obj", False, lambda s: obj(s, "{m}/-1/-1")),
    "obj between blocks": (".obj", False, obj_interleaved),
    "obj of windows": (".obj", False, lambda s: obj(s, newline="\r\n")),
    "obj of old macs": (".obj", False, lambda s: obj(s, newline="\r")),
    "obj with tabs": (".obj", False, lambda s: obj(s, line=lambda t: t.replace(" ", "\t"))),
    "obj indented": (".obj", False, lambda s: obj(s, line=lambda t: "  \t" + t)),
    "obj with comments": (".obj", False, lambda s: obj(s, line=lambda t: t + "  # f 1 2 3" if t else t)),
    "obj continued": (
        ".obj",
        False,
        lambda s: obj(s, line=lambda t: t.replace(" ", " \\\n", 2) if t[:1] == "f" else t),
    ),
    "obj in latin-1": (".obj", False, lambda s: obj(s, head="# für Büro\ng Stühle", encoding="latin-1")),
    "obj in shift-jis": (".obj", False, lambda s: obj(s, head="# 日本語\no 椅子", encoding="shift-jis")),
    "obj with a mark": (".obj", False, lambda s: obj(s, encoding="utf-8-sig")),
    "obj in utf-16": (".obj", False, lambda s: obj(s, encoding="utf-16")),
    "obj in utf-16 without a mark": (".obj", False, lambda s: obj(s, encoding="utf-16-le")),
    "obj in big utf-16": (".obj", False, lambda s: obj(s, encoding="utf-16-be")),
    "obj of the first version": (".obj", False, lambda s: obj(s, face="fo")),
    "obj with exponents": (".obj", False, lambda s: obj(s, line=lambda t: _with_exponents(t))),
    "obj coloured": (".obj", False, lambda s: obj(s, colours=1)),
    "obj coloured to 255": (".obj", False, lambda s: obj(s, colours=255)),
    "ply text": (".ply", False, lambda s: ply(s, "")),
    "ply text of windows": (".ply", False, lambda s: ply(s, "", newline="\r\n")),
    "ply text of old macs": (".ply", False, lambda s: ply(s, "", newline="\r")),
    "ply text coloured": (".ply", False, lambda s: ply(s, "", colours="uchar")),
    "ply text with more": (".ply", False, lambda s: ply(s, "", extra=True)),
    "ply text in latin-1": (".ply", False, lambda s: ply(s, "", comment=b"comment f\xfcr")),
    "ply text triangles": (".ply", True, lambda s: ply(s, "", triangles=True)),
    "ply little": (".ply", False, ply),
    "ply little triangles": (".ply", True, lambda s: ply(s, triangles=True)),
    "ply little coloured triangles": (".ply", True, lambda s: ply(s, triangles=True, colours="uchar")),
    "ply little coloured": (".ply", False, lambda s: ply(s, colours="uchar")),
    "ply little with float colours": (".ply", False, lambda s: ply(s, colours="float")),
    "ply little with colours of faces": (".ply", False, lambda s: ply(s, face_colours=True)),
    "ply little with more": (".ply", False, lambda s: ply(s, extra=True)),
    "ply little with more, triangles": (".ply", False, lambda s: ply(s, extra=True, triangles=True)),
    "ply little, doubles": (".ply", False, lambda s: ply(s, coordinate="double")),
    "ply little, long counts": (".ply", False, lambda s: ply(s, count="int", index="uint")),
    "ply little, short counts": (".ply", False, lambda s: ply(s, count="ushort", index="ushort")),
    "ply little, sized names": (".ply", False, lambda s: ply(s, count="uint8", index="int32", name="vertex_index")),
    "ply little, windows header": (".ply", False, lambda s: ply(s, newline="\r\n")),
    "ply little in latin-1": (".ply", False, lambda s: ply(s, comment=b"comment f\xfcr B\xfcro")),
    "ply big": (".ply", False, lambda s: ply(s, ">")),
    "ply big triangles": (".ply", True, lambda s: ply(s, ">", triangles=True)),
    "ply big coloured": (".ply", False, lambda s: ply(s, ">", colours="uchar")),
    "ply big with more": (".ply", False, lambda s: ply(s, ">", extra=True, count="int")),
    "ply big, doubles": (".ply", False, lambda s: ply(s, ">", coordinate="double", face_colours=True)),
    "ply strips": (".ply", False, ply_strips),
    "ply strips, little": (".ply", False, lambda s: ply_strips(s, "<")),
    "ply strips, big": (".ply", False, lambda s: ply_strips(s, ">")),
    "stl": (".stl", True, stl_binary),
    "stl that begins with solid": (".stl", False, lambda s: stl_binary(s, b"solid by a CAD program")),
    "stl without a count": (".stl", False, lambda s: stl_binary(s, count=0)),
    "stl with an unknown count": (".stl", False, lambda s: stl_binary(s, count=0xFFFFFFFF)),
    "stl with a tail": (".stl", False, lambda s: stl_binary(s, tail=b"written by a program")),
    "stl of viscam": (".stl", False, lambda s: stl_binary(s, colours="viscam")),
    "stl of magics": (".stl", False, lambda s: stl_binary(s, colours="magics")),
    "stl text": (".stl", True, stl_text),
    "stl text in latin-1": (".stl", False, lambda s: stl_text(s, "Stühle".encode("latin-1"))),
    "stl text without an end": (".stl", False, lambda s: stl_text(s, end=False)),
    "stl text of windows": (".stl", False, lambda s: stl_text(s, newline=b"\r\n")),
    "stl text of old macs": (".stl", False, lambda s: stl_text(s, newline=b"\r")),
    "stl text in capitals": (".stl", False, lambda s: stl_text(s, upper=True)),
    "stl text with tabs": (".stl", False, lambda s: stl_text(s, indent=b"\t")),
    "off": (".off", False, off),
    "off on one line": (".off", False, lambda s: off(s, "OFF ")),
    "off without a keyword": (".off", False, lambda s: off(s, "")),
    "off with comments": (".off", False, lambda s: off(s, "OFF # text\n# more\n\n", comments=True)),
    "off of windows": (".off", False, lambda s: off(s, newline="\r\n")),
    "off of old macs": (".off", False, lambda s: off(s, newline="\r")),
    "off in utf-16": (".off", False, lambda s: off(s, encoding="utf-16")),
    "off with normals": (".off", False, lambda s: off(s, "NOFF\n", normals=True)),
    "off coloured": (".off", False, lambda s: off(s, "COFF\n", 1)),
    "off coloured to 255": (".off", False, lambda s: off(s, "COFF\n", 255)),
    "off with colours of faces": (".off", False, lambda s: off(s, face_colours=1)),
    "off with colours of faces to 255": (".off", False, lambda s: off(s, face_colours=255)),
}
VERTEX_COLOURS = ("obj coloured", "ply text coloured", "ply little coloured", "ply little with float", "off coloured")
FACE_COLOURS = ("colours of faces", "viscam", "magics", "ply big, doubles")


def test_there_are_more_than_sixty_layouts() -> None:
    assert len(LAYOUTS) > 60
    assert {suffix for suffix, _, _ in LAYOUTS.values()} == {".obj", ".ply", ".stl", ".off"}


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_read_is_what_was_written(tmp_path: Path, name: str) -> None:
    suffix, independent, write = LAYOUTS[name]
    for number, solid in enumerate(solids()):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(write(solid))
        (part,) = read_contents(path).parts
        corners = part.vertices[part.faces]
        size = np.ptp(solid.points, axis=0).max()
        assert triangle_areas(corners).sum() == pytest.approx(solid.area, rel=1e-5)
        np.testing.assert_allclose(corners.min(axis=(0, 1)), solid.points.min(axis=0), atol=1e-6 * size)
        np.testing.assert_allclose(corners.max(axis=(0, 1)), solid.points.max(axis=0), atol=1e-6 * size)
        # Fronts outwards, everywhere: the volume by Gauss.
        volume = np.einsum("fc,fc->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
        assert volume == pytest.approx(solid.volume, rel=1e-5)
        check_colours(name, part, solid, size)
        if independent:
            other = trimesh.load(io.BytesIO(path.read_bytes()), file_type=suffix[1:], process=False, force="mesh")
            np.testing.assert_allclose(corners, other.triangles, atol=1e-6 * size)


def check_colours(name: str, part: Part, solid: Solid, size: float) -> None:
    """Colours are those of the solid: of the point at each vertex, or of the first point of each polygon."""
    linear = ((solid.colours / 255 + 0.055) / 1.055) ** 2.4
    linear = np.where(solid.colours / 255 <= 0.04045, solid.colours / 255 / 12.92, linear)
    if name.startswith(VERTEX_COLOURS) or name == "ply little coloured triangles" or name == "ply big coloured":
        assert part.colours is not None
        distance, nearest = cKDTree(solid.points).query(part.vertices)
        assert distance.max() < 1e-5 * size
        np.testing.assert_allclose(part.colours[:, :3], linear[nearest], atol=2e-5)
    elif any(words in name for words in FACE_COLOURS):
        assert part.face_colours is not None
        _, points = cKDTree(solid.points).query(part.vertices)
        for face, colour in zip(points[part.faces], part.face_colours[:, :3], strict=True):
            if "stl" in name:  # the colour of the first corner, in five bits of sRGB
                stored = np.floor(solid.colours[face[0]] / 8) / 31
                expected = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
            else:
                (first,) = (polygon[0] for polygon in solid.polygons if set(face) <= set(polygon))
                expected = linear[first]
            np.testing.assert_allclose(colour, expected, atol=2e-5)
    else:
        assert part.colours is None
        assert part.face_colours is None


def _with_exponents(text: str) -> str:
    words = text.split(" ")
    return text if words[0] != "v" else " ".join(["v", *(f"{float(word):.12E}" for word in words[1:])])
