"""Files as programs write them: a whole picture with the right side out, and a line where something was chosen."""

from pathlib import Path

import numpy as np
import pytest

from rfcli.scene import TriangleScene, place_file
from rfcli.scene.backdrop import BACKDROP_CELLS
from rfcli.scene.formats.read import read_contents
from rfcli.scene.geometry import face_normals, triangle_areas

CASES = Path(__file__).parents[2] / "golden" / "cases"
BACKDROP = 2 * 2 * BACKDROP_CELLS**2 + 1
CHAIR, PRISM = 3.375, 2.939

# Surface area by the square of the longest side; the chair is the same everywhere.
AREAS = {
    "obj-plain/chair.obj": CHAIR,
    "obj-y-up/chair.obj": CHAIR,
    "obj-double-sided/chair.obj": CHAIR,
    "obj-inside-out/chair.obj": CHAIR,
    "obj-interleaved-negative/chair.obj": CHAIR,
    "obj-latin1/chair.obj": CHAIR,
    "obj-utf16/chair.obj": CHAIR,
    "obj-tabs/chair.obj": CHAIR,
    "obj-comments-after/chair.obj": CHAIR,
    "obj-vertex-colours/chair.obj": CHAIR,
    "obj-concave-ngon/u.obj": 30 / 9,
    "obj-tiny-sphere/r1e-07.obj": 3.08,
    "obj-tiny-sphere/r5e-08.obj": 3.08,
    "ply-le-mixed-quads/chair.ply": CHAIR,
    "ply-latin1-comment/chair.ply": CHAIR,
    "ply-tristrips/chair.ply": CHAIR,
    "ply-unreferenced-nan/chair.ply": CHAIR,
    "ply-le-blender-like/prism.ply": PRISM,
    "off-pentagons/prism.off": PRISM,
    "stl-binary-trailing/chair.stl": CHAIR,
}


def mesh_of(scene: TriangleScene) -> TriangleScene:
    """The scene without its backdrop."""
    one = scene.triangles[:-BACKDROP]
    return TriangleScene(one, scene.vn[: len(one)], scene.material[: len(one)], scene.c2w, scene.fov)


def relative_area(scene: TriangleScene) -> float:
    corners = scene.triangles.astype(np.float64)
    return float(triangle_areas(corners).sum() / np.ptp(corners.reshape(-1, 3), axis=0).max() ** 2)


@pytest.mark.parametrize("name", AREAS)
def test_the_whole_surface_is_there_once(name: str) -> None:
    mesh = mesh_of(place_file(CASES / name).scene)
    assert relative_area(mesh) == pytest.approx(AREAS[name], rel=2e-3)
    lengths = np.linalg.norm(mesh.vn, axis=-1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    # Fronts are outside: the divergence theorem gives the volume of every piece, which is positive.
    normals = face_normals(mesh.triangles.astype(np.float64))
    assert (np.einsum("fkc,fc->fk", mesh.vn, normals) > 0.3).all()
    moment = np.einsum("fc,fc->f", normals, mesh.triangles.mean(axis=1)) * triangle_areas(mesh.triangles)
    assert moment.sum() / 3 > 0


@pytest.mark.parametrize("name", [name for name, area in AREAS.items() if area == CHAIR])
def test_the_chair_stands_on_its_legs(name: str) -> None:
    scene = place_file(CASES / name).scene
    corners = mesh_of(scene).triangles.reshape(-1, 3)
    low, high = corners.min(axis=0), corners.max(axis=0)
    sides = high - low
    np.testing.assert_allclose(sides / sides[2], (1 / 1.2, 1 / 1.2, 1), rtol=1e-3)
    feet = corners[corners[:, 2] < low[2] + 0.01 * sides[2]]
    assert np.ptp(feet[:, 0]) == pytest.approx(sides[0], rel=1e-3)
    middle = np.abs(feet[:, :2] - (low + high)[:2] / 2) / sides[:2]
    assert (middle.max(axis=1) > 0.39).all()  # no foot in the middle: these are legs, not the seat or the back


@pytest.mark.parametrize("name", AREAS)
def test_a_line_says_which_axis_is_up(name: str) -> None:
    lines = [note for note in place_file(CASES / name).notes if "taken as up" in note]
    assert len(lines) == 1
    assert lines[0].startswith(f"{CASES / name}: ")
    assert "`up`" in lines[0]


def test_faces_stored_twice_and_turned_are_told() -> None:
    assert any("288 faces that are in the file twice" in n for n in _notes("obj-double-sided/chair.obj"))
    assert any("288 faces that were wound inwards" in n for n in _notes("obj-inside-out/chair.obj"))
    assert not any("twice" in n or "inwards" in n for n in _notes("obj-plain/chair.obj"))


def test_colours_of_vertices_are_read() -> None:
    (part,) = read_contents(CASES / "obj-vertex-colours" / "chair.obj").parts
    assert part.colours is not None
    stored = [
        tuple(map(float, line.split()[4:7]))
        for line in (CASES / "obj-vertex-colours" / "chair.obj").read_text().splitlines()
        if line.startswith("v ")
    ]
    assert {tuple(np.round(colour[:3], 6)) for colour in part.colours} == set(stored)  # 0 and 1 only: linear is sRGB


def _notes(name: str) -> tuple[str, ...]:
    return place_file(CASES / name).notes
