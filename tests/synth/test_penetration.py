import numpy as np
import pytest

from rfcli.synth import objects
from rfcli.synth.materials import materials
from rfcli.synth.objects import random_objects
from rfcli.synth.parts import Piece, piece
from rfcli.synth.penetration import share_inside, worst_overlap
from rfcli.synth.rejection import RejectedError
from rfcli.synth.shapes import make
from rfcli.synth.shapes.boxes import boxes
from rfcli.synth.shapes.sphere_like import geodesic_sphere


def test_points_in_a_ball_are_those_nearer_than_its_radius() -> None:
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (1000, 3))
    radius = np.linalg.norm(points, axis=1)
    clear = np.abs(radius - 1) > 0.02  # not between the sphere and its facets
    assert share_inside(points[clear], np.asarray(geodesic_sphere(2000).triangles)) == (radius[clear] < 1).mean()


def test_overlapping_parts_are_inside_once_and_a_ring_has_a_hole() -> None:
    twice = boxes([((0, 0, 0), (1, 1, 1)), ((0.2, 0.2, 0.2), (0.8, 0.8, 0.8))], 24)
    assert share_inside(np.array([(0.5, 0.51, 0.52), (0.1, 0.5, 0.5), (1.1, 0.5, 0.5)]), twice.triangles) == 2 / 3
    ring = make("torus", np.random.default_rng(0), 400)
    assert share_inside(np.zeros((1, 3)), ring.triangles) == 0


def solid(mesh: object, x: float, two_sided: bool = False) -> Piece:
    moved = mesh.copy()  # type: ignore[attr-defined]
    moved.apply_translation([x, 0, 0])
    return piece(moved, materials(np.ones((len(moved.faces), 3)), 0, 1), False, two_sided)


@pytest.mark.parametrize(("gap", "share"), [(2.1, 0.0), (1.0, 0.25), (0.001, 1.0)])
def test_two_balls_overlap_by_the_cap_that_is_inside(gap: float, share: float) -> None:
    """Of a unit sphere (1 - d / 2) / 2 of the area lies inside another at distance d: a cap of height 1 - d / 2."""
    ball = geodesic_sphere(2000)
    small = ball.copy()
    small.apply_scale(0.999 if gap > 0.01 else 0.9)
    assert worst_overlap([solid(ball, 0.0), solid(small, gap)]) == pytest.approx(share, abs=0.04)


def test_a_sheet_has_no_inside_but_may_lie_in_something() -> None:
    ball, sheet = solid(geodesic_sphere(320), 0.0), make("ribbon", np.random.default_rng(0), 100)
    assert worst_overlap([ball, solid(sheet, 0.0, two_sided=True)]) == 1.0
    assert worst_overlap([solid(geodesic_sphere(320), 0.0, two_sided=True), solid(sheet, 0.0, two_sided=True)]) == 0.0


def test_objects_that_stick_in_one_another_are_a_rejected_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "place", lambda rng, mesh, placed: None)  # all of them at the origin
    with pytest.raises(RejectedError, match="objects in one another"):
        _ = [random_objects(np.random.default_rng(seed), 900) for seed in range(20)]
