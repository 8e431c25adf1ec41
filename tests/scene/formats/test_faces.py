"""Faces once and outwards, and the vertical axis, on shapes whose right answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from rfcli.scene.formats.contents import Contents, Part
from rfcli.scene.formats.faces import outward_faces, welded_mesh, without_double_faces
from rfcli.scene.formats.upright import vertical_axis, with_z_up
from rfcli.scene.geometry import face_normals
from rfcli.scene.shading import corner_normals, smooth


def contents_of(*meshes: trimesh.Trimesh, up: str = "z") -> Contents:
    parts = [Part(str(i), np.array(m.vertices, float), np.array(m.faces)) for i, m in enumerate(meshes)]
    return Contents(parts, up)  # type: ignore[arg-type]


def cup() -> trimesh.Trimesh:
    """An open cylinder with a bottom, fronts outwards."""
    mesh = trimesh.creation.cylinder(1.0, 2.0, sections=24).subdivide()
    mesh.update_faces(mesh.triangles_center[:, 2] < 0.99)
    return mesh


def outward_share(contents: Contents, centre: tuple[float, float, float] = (0, 0, 0)) -> float:
    corners = np.concatenate([part.vertices[part.faces] for part in contents.parts])
    away = corners.mean(axis=1) - centre
    return float(((face_normals(corners) * away).sum(axis=1) > 0).mean())


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e6])
@pytest.mark.parametrize("make", [trimesh.creation.icosphere, trimesh.creation.box, cup])
@pytest.mark.parametrize("fault", ["none", "all inwards", "half inwards", "twice", "twice reversed"])
def test_fronts_are_outside_and_faces_once(make, fault: str, scale: float) -> None:
    mesh = make()
    faces = np.array(mesh.faces)
    if fault == "all inwards":
        faces = faces[:, ::-1]
    elif fault == "half inwards":
        faces = np.where(np.random.default_rng(0).random((len(faces), 1)) < 0.5, faces, faces[:, ::-1])
    elif fault == "twice":
        faces = np.concatenate([faces, np.roll(faces, 1, axis=1)])
    elif fault == "twice reversed":
        faces = np.concatenate([faces[:, ::-1], faces])
    contents = contents_of(trimesh.Trimesh(mesh.vertices * scale, faces, process=False))
    result = outward_faces(contents)
    (part,) = result.parts
    assert len(part.faces) == len(mesh.faces)
    assert outward_share(result) == 1
    assert (result.notes == []) == (fault == "none")
    assert welded_mesh(result).is_winding_consistent


def test_bodies_are_turned_one_by_one() -> None:
    inwards = trimesh.creation.box()
    inwards.invert()
    apart = trimesh.creation.icosphere()
    apart.apply_translation((3, 0, 0))
    result = outward_faces(contents_of(inwards, apart))
    assert outward_share(replace(result, parts=result.parts[:1])) == 1
    assert outward_share(replace(result, parts=result.parts[1:]), (3, 0, 0)) == 1
    assert result.notes == ["12 faces that were wound inwards are turned outwards."]


def test_sheets_are_turned_to_the_camera_only_if_one_is_given() -> None:
    sheet = trimesh.Trimesh([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [(0, 2, 1), (0, 3, 2)], process=False)
    (kept,) = outward_faces(contents_of(sheet)).parts
    np.testing.assert_array_equal(kept.faces, sheet.faces)
    (turned,) = outward_faces(contents_of(sheet), seen_from=(0.2, -1, 1)).parts
    assert (face_normals(turned.vertices[turned.faces])[:, 2] > 0).all()


def test_a_strip_without_two_sides_stays() -> None:
    angle = np.linspace(0, 2 * np.pi, 41)[:-1]
    across = np.stack([np.cos(angle / 2) * np.cos(angle), np.cos(angle / 2) * np.sin(angle), np.sin(angle / 2)], 1)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    points = np.concatenate([ring - 0.3 * across, ring + 0.3 * across])
    a, b = np.arange(40), np.arange(1, 41) % 40
    c, d = a + 40, b + 40
    b[-1], d[-1] = 40, 0  # the ends meet turned over
    strip = trimesh.Trimesh(points, np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]), process=False)
    (part,) = outward_faces(contents_of(strip)).parts
    assert len(part.faces) == 80


def test_faces_of_no_area_and_parts_without_faces_are_gone() -> None:
    line = trimesh.Trimesh([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [(0, 1, 2), (0, 0, 1)], process=False)
    result = outward_faces(contents_of(line, trimesh.creation.box()))
    assert [part.name for part in result.parts] == ["1"]
    assert outward_faces(contents_of(line)).parts == []


def test_normals_of_the_file_point_to_the_fronts() -> None:
    ball = trimesh.creation.icosphere()
    part = Part("a", np.array(ball.vertices), np.array(ball.faces)[:, ::-1], normals=-np.array(ball.vertices))
    (turned,) = outward_faces(Contents([part], "z")).parts
    assert turned.normals is not None
    np.testing.assert_allclose(turned.normals, ball.vertices, atol=1e-12)
    (kept,) = outward_faces(Contents([replace(part, normals=np.array(ball.vertices))], "z")).parts
    np.testing.assert_allclose(kept.normals, ball.vertices, atol=1e-12)


def test_colours_of_faces_stay_with_their_faces() -> None:
    box = trimesh.creation.box()
    colours = np.random.default_rng(0).random((24, 4))
    faces = np.concatenate([np.array(box.faces), np.array(box.faces)[:, ::-1]])
    part = Part("a", np.array(box.vertices), faces, face_colours=colours)
    (single,) = outward_faces(Contents([part], "z")).parts
    np.testing.assert_array_equal(single.face_colours, colours[:12])


def test_double_faces_of_scenes_have_normals() -> None:
    ball = trimesh.creation.icosphere(2)
    assert without_double_faces(ball) is ball
    double = trimesh.Trimesh(ball.vertices, np.concatenate([ball.faces, ball.faces[:, ::-1]]), process=False)
    assert len(without_double_faces(double).faces) == len(ball.faces)
    for mesh in (double, without_double_faces(double)):
        lengths = np.linalg.norm(corner_normals(smooth(mesh)), axis=-1)
        np.testing.assert_allclose(lengths, 1, atol=1e-9)


def standing() -> dict[str, trimesh.Trimesh]:
    """Things that stand with z up."""
    box, union = trimesh.creation.box, trimesh.util.concatenate

    def at(size: tuple[float, float, float], place: tuple[float, float, float]) -> trimesh.Trimesh:
        mesh = box(size)
        mesh.apply_translation(place)
        return mesh

    legs = [at((0.1, 0.1, 1), (x, y, 0.5)) for x in (-0.45, 0.45) for y in (-0.45, 0.45)]
    return {
        "table": union([*legs, at((1.2, 1.2, 0.1), (0, 0, 1.05))]),
        "chair": union([*legs, at((1, 1, 0.1), (0, 0, 1.05)), at((1, 0.1, 1), (0, 0.45, 1.6))]),
        "cone": trimesh.creation.cone(0.5, 1.5),
        "vase": trimesh.creation.revolve([(0, 0), (0.4, 0), (0.7, 0.8), (0.3, 1.4), (0.45, 1.6), (0, 1.6)]),
        "lamp": union(
            [at((0.5, 0.5, 0.1), (0, 0, 0.05)), at((0.05, 0.05, 1.5), (0, 0, 0.8)), at((0.3, 0.3, 0.4), (0, 0, 1.6))]
        ),
        "mushroom": union(
            [at((0.3, 0.3, 0.6), (0, 0, 0.3)), trimesh.creation.uv_sphere(0.6).apply_translation((0, 0, 1))]
        ),
    }


@pytest.mark.parametrize("usual", ["y", "z"])
@pytest.mark.parametrize("name", standing())
def test_what_stands_is_upright_whatever_the_format_says(name: str, usual: str) -> None:
    # A chair with y up lies as flat on its straight back, if z is up: there the format decides.
    for up in ("y", "z") if (name, usual) != ("chair", "z") else ("z",):
        mesh = standing()[name].copy()
        if up == "y":
            mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
        contents = contents_of(mesh, up=usual)
        axis, sentence = vertical_axis(contents, ".obj" if usual == "y" else ".ply")
        assert axis == up
        assert f"{up} is taken as up" in sentence
        assert f"`up` {'z' if up == 'y' else 'y'}" in sentence
        turned = with_z_up(contents, axis).parts[0].vertices
        np.testing.assert_allclose(np.ptp(turned, axis=0), standing()[name].extents, atol=1e-9)
        assert turned[:, 2].min() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "mesh",
    [
        trimesh.creation.icosphere(),
        trimesh.creation.box((1, 2, 3)),
        trimesh.creation.torus(1, 0.3).apply_transform(trimesh.transformations.rotation_matrix(1, [1, 0, 0])),
        trimesh.Trimesh([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [(0, 1, 2), (0, 2, 3)]),
        trimesh.Trimesh([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [(0, 1, 2)]),
    ],
)
def test_without_a_clear_sign_the_format_decides(mesh: trimesh.Trimesh) -> None:
    assert vertical_axis(contents_of(mesh, up="y"), ".obj")[0] == "y"
    assert vertical_axis(contents_of(mesh, up="z"), ".stl")[0] == "z"


def test_ground_is_not_stood_on_its_edge() -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 20), np.linspace(-1, 1, 20))
    z = 0.1 * np.sin(3 * x) * np.cos(2 * y)
    cell = np.arange(380).reshape(19, 20)[:, :-1].ravel()
    faces = np.concatenate([np.stack([cell, cell + 1, cell + 21], 1), np.stack([cell, cell + 21, cell + 20], 1)])
    ground = trimesh.Trimesh(np.stack([x, y, z], -1).reshape(-1, 3), faces, process=False)
    assert vertical_axis(contents_of(ground, up="z"), ".stl")[0] == "z"
    ground.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    assert vertical_axis(contents_of(ground, up="y"), ".obj")[0] == "y"


def test_gltf_says_which_axis_is_up() -> None:
    assert vertical_axis(contents_of(standing()["cone"], up="y"), ".GLB") == ("y", "")
