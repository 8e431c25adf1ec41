"""Files that are wrong end in a sentence that says where; what is left out is told in a note."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rfcli.errors import InputError
from rfcli.scene.formats.obj import read_obj
from rfcli.scene.formats.polygons import triangulated
from rfcli.scene.formats.read import READERS, REMEDIES, read_contents
from rfcli.scene.geometry import triangle_areas
from tests.support.mesh_files import off, ply, solids, stl_binary, stl_text

CORNERS = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
PLY_HEAD = (
    "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.obj", CORNERS + "f 0 1 2\n", "line 4: index 0, but OBJ counts from 1"),
        ("a.obj", CORNERS + "\nf 1 2 4\n", "line 5: vertex 4 of a face is not in the file, which has 3"),
        ("a.obj", CORNERS + "f 1 2 -4\n", "line 4: index -4, but 3 vertices come before"),
        ("a.obj", CORNERS + "f 1/1 2/1 3/1\n", "line 4: vt 1 of a face is not in the file, which has 0"),
        ("a.obj", CORNERS + "f 1 2 x\n", "line 4: x is no corner"),
        ("a.obj", CORNERS + "f 1 2 99999999999999999999\n", "line 4: 9+ is no corner"),
        ("a.obj", "v 0 0 0\nv 1 0,5 0\nv 0 1 0\nf 1 2 3\n", "line 2: 0,5 is no number"),
        ("a.obj", "v 0 0 0\nv 1 0\nv 0 1 0\nf 1 2 3\n", "line 2: v has 2 numbers, not 3"),
        ("a.obj", CORNERS, "no faces"),
        ("a.obj", "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "1 vertices of faces are not finite"),
        ("a.obj", "v 0 0 1e10\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "farther than"),
        ("a.ply", "solid", "does not begin with ply"),
        ("a.ply", "ply\nformat ascii 1.0\n", "no line end_header"),
        ("a.ply", PLY_HEAD.replace("float z", "quad z"), "line 6 of the header, property quad z"),
        ("a.ply", PLY_HEAD + "0 0 0 1 0 0 0 1 0 3 0 1 7\n", "face 0 has vertex 7, but the file has 3"),
        ("a.ply", PLY_HEAD + "0 0 0 1 0 0 0 1 0 3 0 1\n", "ends after 0 of 1 rows of face"),
        ("a.ply", PLY_HEAD + "0 0 0 1 0 0\n", "ends after 2 of 3 rows of vertex"),
        ("a.ply", PLY_HEAD + "0 0 0 1 0 x 0 1 0 3 0 1 2\n", "x, in the element vertex or after it, is no number"),
        ("a.ply", PLY_HEAD.split("element face")[0] + "end_header\n0 0 0 1 0 0 0 1 0\n", "point cloud"),
        ("a.ply", ply(solids()[0])[:-3], "ends in face 7 of 8, at byte"),
        ("a.ply", ply(solids()[0])[:300], "ends at byte 300, after"),
        (
            "a.ply",
            PLY_HEAD.replace(
                "element vertex", "element camera 999999999999\nproperty list uchar int a\nelement vertex"
            ),
            "declares 999,999,999,999 rows of camera, but the file has",
        ),
        ("a.stl", b"short", "5 bytes are too few"),
        ("a.stl", stl_binary(solids()[0], count=99), "byte 80 says 99 triangles, but the file ends after 20"),
        ("a.stl", stl_text(solids()[0]).replace(b"vertex 3", b"vertex three", 1), "line \\d+: vertex three"),
        ("a.stl", b"solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nendloop\n", "facet 1 has 1 vertices"),
        ("a.off", "OFF\n# nothing\n", "not the number of vertices"),
        ("a.off", "OFF\nx 1 0\n", "line 2: x 1 0 is not the number of vertices"),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n", "line 6: a face has vertex 3, but the file has 3"),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1\n", "line 6: a face of 3 corners has 2"),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0\n0 1 0\n3 0 1 2\n", "line 4: a vertex has 2 numbers"),
        ("a.off", "OFF\n3 2 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "ends after 3 of 3 vertices and 1 of 2 faces"),
        ("a.off", "OFF BINARY\n", "binary OFF"),
        ("a.off", "4OFF\n1 0 0\n", "more than three coordinates"),
    ],
)
def test_the_sentence_says_where(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=words) as caught:
        read_contents(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    assert "broken" not in sentence


@pytest.mark.parametrize("suffix", ["", ".txt", ".FBX", *REMEDIES])
def test_other_formats_are_named_with_a_remedy(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("x")
    remedy = REMEDIES.get(suffix.lower(), "convert it or correct its name")
    with pytest.raises(InputError, match="not read") as caught:
        read_contents(path)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("suffix", READERS)
def test_suffixes_may_be_in_capitals(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix.upper()}"
    path.write_bytes(b"\0\1")
    with pytest.raises(InputError, match=r"a\."):  # read by its reader, which refuses the content
        read_contents(path)


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(CORNERS + "f 1 2 3\nl 1 2\nl 2 3\np 1\nf 1 2\n")
    assert read_contents(tmp_path / "a.obj").notes == ["3 lines are left out.", "1 points are left out."]
    (tmp_path / "b.stl").write_bytes(stl_binary(solids()[0], count=0))
    (note,) = read_contents(tmp_path / "b.stl").notes
    assert "byte 80 is 0; 20 were found" in note
    (tmp_path / "c.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2 7\n")
    (note,) = read_contents(tmp_path / "c.off").notes
    assert "Colours by number" in note


def test_vertices_that_no_face_uses_may_be_anything(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v nan 0 0\n" + CORNERS + "v 1e30 0 0\nv 1.#QNAN 0 -nan(ind)\nf 2 3 4\n")
    (part,) = read_contents(tmp_path / "a.obj").parts
    np.testing.assert_array_equal(part.vertices[part.faces[0]], [(0, 0, 0), (1, 0, 0), (0, 1, 0)])


MTL = """# made for a test
newmtl red paint
\tKd 0.8 0.1 0.2
Ks 0.5 0.5 0.5
Ns 98
illum 2
newmtl lamp # not a comment of the name
Kd 0 0 0
Ke 5 4 3
newmtl brass
Kd 0.9 0.7 0.3
Pm 1
Pr 0.25
newmtl checks
map_Kd -s 2 3 1 -o 0.25 0.5 0 -clamp on C:\\textures\\checks board.png
"""


def test_materials_of_mtl(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_text(MTL)
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = (255, 128, 0)
    Image.fromarray(pixels).save(tmp_path / "checks board.png")
    names = ("red paint", "lamp", "brass", "checks", "absent")
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\n" + CORNERS + "vt 0.25 0.75\n" + "".join(f"usemtl {name}\nf 1/1 2/1 3/1\n" for name in names)
    )
    contents = read_contents(tmp_path / "a.obj")
    assert [part.name for part in contents.parts] == list(names)
    red, lamp, brass, checks, absent = (part.material for part in contents.parts)
    assert absent is None
    assert any("absent" in note for note in contents.notes)
    assert red is not None
    assert red.base_colour == (0.8, 0.1, 0.2)
    assert red.specular == pytest.approx((0.2, 0.5, 0.5))  # no more than Kd leaves
    assert red.roughness**2 == pytest.approx((2 / 100) ** 0.5)
    assert lamp is not None
    assert lamp.emission == (5, 4, 3)
    assert brass is not None
    assert (brass.metallic, brass.roughness) == (1, 0.25)
    assert checks is not None
    assert checks.base_texture is not None
    np.testing.assert_array_equal(checks.base_texture.pixels[0, 0], (255, 128, 0, 255))
    assert checks.base_texture.wrap == ("clamp", "clamp")
    # v' = 1 - v of the result is where the image has row v: MTL's v goes to 3 v + 0.5, upwards.
    assert checks.base_texture.transform is not None
    u, v = 0.25, 0.75
    moved = checks.base_texture.transform @ (u, 1 - v, 1)
    np.testing.assert_allclose(moved, (2 * u + 0.25, 1 - (3 * v + 0.5)))
    uv = contents.parts[0].uv
    assert uv is not None
    np.testing.assert_allclose(uv[0], (0.25, 0.25))


def test_blender_writes_specular_level_and_roughness(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_text(
        "# Blender 4.2 MTL File: 'a.blend'\nnewmtl a\nNs 250\nKd 0.8 0.8 0.8\nKs 0.5 0.5 0.5\n"
    )
    (tmp_path / "a.obj").write_text("mtllib a.mtl\n" + CORNERS + "usemtl a\nf 1 2 3\n")
    (part,) = read_contents(tmp_path / "a.obj").parts
    assert part.material is not None
    assert part.material.specular == pytest.approx((0.04, 0.04, 0.04))
    assert part.material.roughness == pytest.approx(0.5)


@pytest.mark.parametrize("place", ["../a.mtl", "/etc/passwd", "link.mtl", "none.mtl"])
def test_libraries_outside_the_folder_are_not_read(tmp_path: Path, place: str) -> None:
    (tmp_path / "a.mtl").write_text("newmtl a\nKd 1 0 0\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.mtl").symlink_to(tmp_path / "a.mtl")
    (folder / "a.obj").write_text(f"mtllib {place}\n" + CORNERS + "usemtl a\nf 1 2 3\n")
    contents = read_contents(folder / "a.obj")
    assert contents.parts[0].material is None
    assert any("its materials are not used" in note for note in contents.notes)
    assert read_obj(folder / "a.obj", materials=False).notes == []


@pytest.mark.parametrize("turn", [0, 1, 2, 5])
def test_concave_polygons_are_not_filled_in(tmp_path: Path, turn: int) -> None:
    """An arrow, a comb and a spiral, of any first corner, tilted in space; the area by Gauss."""
    rng = np.random.default_rng(turn)
    frame = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    outlines = [
        [(0, 0), (4, 2), (0, 4), (1, 2)],
        [(0, 0), (7, 0), (7, 3), (6, 3), (6, 1), (4, 1), (4, 3), (3, 3), (3, 1), (1, 1), (1, 3), (0, 3)],
        [(0, 0), (5, 0), (5, 5), (1, 5), (1, 2), (3, 2), (3, 3), (2, 3), (2, 4), (4, 4), (4, 1), (0, 1)],
    ]
    for outline in outlines:
        flat = np.roll(np.array(outline, dtype=float), turn, axis=0)
        points = np.column_stack([flat, np.full(len(flat), 2.0)]) @ frame.T
        faces, owner = triangulated(tmp_path, points, np.arange(len(flat)), np.array([len(flat)]))
        after = np.roll(flat, -1, axis=0)
        area = (flat[:, 0] * after[:, 1] - flat[:, 1] * after[:, 0]).sum() / 2
        assert triangle_areas(points[faces]).sum() == pytest.approx(area)
        cross = np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
        assert (cross @ frame[:, 2] * np.linalg.det(frame) >= -1e-9).all()  # wound as the polygon
        assert (owner == 0).all()


def test_order_of_triangles_is_that_of_polygons(tmp_path: Path) -> None:
    points = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 0, 0), (2, 1, 0)], dtype=float)
    corners, sizes = np.array([0, 1, 2, 3, 1, 4, 2, 1, 4, 5, 2]), np.array([4, 3, 4])
    faces, owner = triangulated(tmp_path, points, corners, sizes)
    assert owner.tolist() == [0, 0, 1, 2, 2]
    assert corners[faces].tolist() == [[0, 1, 2], [2, 3, 0], [1, 4, 2], [1, 4, 5], [5, 2, 1]]


def test_colours_of_plain_off_vertices_need_the_right_range(tmp_path: Path) -> None:
    (tmp_path / "a.off").write_bytes(off(solids()[0], "COFF\n", 255))
    (part,) = read_contents(tmp_path / "a.off").parts
    assert part.colours is not None
    assert 0 <= part.colours.min() <= part.colours.max() <= 1


def test_too_many_vertices_are_refused_while_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfcli.scene.formats.obj.MAX_VERTICES", 2)
    (tmp_path / "a.obj").write_text(CORNERS + "f 1 2 3\n")
    with pytest.raises(InputError, match="more than 2 vertices"):
        read_contents(tmp_path / "a.obj")
