import numpy as np
import pytest

from rfcli.synth import objects
from rfcli.synth.candidates import RejectedError
from rfcli.synth.materials import materials
from rfcli.synth.objects import max_overlap, random_objects, share_inside
from rfcli.synth.pieces import Piece
from rfcli.synth.shapes import make_shape
from rfcli.synth.shapes.boxes import boxes
from rfcli.synth.shapes.spheres import geodesic_sphere


def test_points_inside_a_sphere_are_those_within_its_radius() -> None:
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (1000, 3))
    radius = np.linalg.norm(points, axis=1)
    clear = np.abs(radius - 1) > 0.02  # not between the sphere and its facets
    assert share_inside(points[clear], np.asarray(geodesic_sphere(2000).triangles)) == (radius[clear] < 1).mean()


def test_overlapping_parts_count_once_and_a_ring_has_a_hole() -> None:
    twice = boxes([((0, 0, 0), (1, 1, 1)), ((0.2, 0.2, 0.2), (0.8, 0.8, 0.8))], 24)
    assert share_inside(np.array([(0.5, 0.51, 0.52), (0.1, 0.5, 0.5), (1.1, 0.5, 0.5)]), twice.triangles) == 2 / 3
    ring = make_shape("torus", np.random.default_rng(0), 400)
    assert share_inside(np.zeros((1, 3)), ring.triangles) == 0


def solid(mesh: object, x: float, two_sided: bool = False) -> Piece:
    moved = mesh.copy()  # type: ignore[attr-defined]
    moved.apply_translation([x, 0, 0])
    return Piece.from_mesh(moved, materials(np.ones((len(moved.faces), 3)), 0, 1), False, two_sided)


@pytest.mark.parametrize(("gap", "share"), [(2.1, 0.0), (1.0, 0.25), (0.001, 1.0)])
def test_overlap_of_two_spheres_is_the_area_of_the_cap(gap: float, share: float) -> None:
    """A share (1 - d / 2) / 2 of a unit sphere lies inside another at distance d: a cap of height 1 - d / 2."""
    ball = geodesic_sphere(2000)
    small = ball.copy()
    small.apply_scale(0.999 if gap > 0.01 else 0.9)
    assert max_overlap([solid(ball, 0.0), solid(small, gap)]) == pytest.approx(share, abs=0.04)


def test_a_sheet_has_no_inside_but_may_lie_inside_a_solid() -> None:
    ball, sheet = solid(geodesic_sphere(320), 0.0), make_shape("ribbon", np.random.default_rng(0), 100)
    assert max_overlap([ball, solid(sheet, 0.0, two_sided=True)]) == 1.0
    assert max_overlap([solid(geodesic_sphere(320), 0.0, two_sided=True), solid(sheet, 0.0, two_sided=True)]) == 0.0


def test_overlapping_objects_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_place", lambda rng, mesh, placed: None)  # all of them at the origin
    with pytest.raises(RejectedError, match="objects in one another"):
        _ = [random_objects(np.random.default_rng(seed), 900) for seed in range(20)]
