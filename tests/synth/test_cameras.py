import numpy as np
import pytest

from rfcli.synth.cameras import random_cameras, view_fault
from rfcli.synth.candidates import RejectedError
from rfcli.synth.materials import materials
from rfcli.synth.pieces import Piece
from rfcli.synth.shapes.boxes import boxes
from rfcli.synth.shapes.grid import grid_mesh, rectangle
from rfcli.synth.templates import random_template


def box(side: float) -> Piece:
    mesh = boxes([((-side / 2,) * 3, (side / 2,) * 3)], 12)
    return Piece.from_mesh(mesh, materials(np.ones((12, 3)), 0, 1), smooth=False)


def test_views_of_a_wall_from_its_front_its_back_and_too_near() -> None:
    wall = np.asarray(grid_mesh(rectangle(2, 2, 4, 4)).triangles)  # faces +z
    straight_down, one_sided = np.eye(4), np.zeros(len(wall), bool)
    for height, expected in ((1.5, None), (0.2, "camera too near")):
        straight_down[2, 3] = height
        assert view_fault(straight_down, 40.0, wall, one_sided) == expected
    from_behind = np.diag([-1.0, 1.0, -1.0, 1.0])
    from_behind[2, 3] = -1.5
    assert view_fault(from_behind, 40.0, wall, one_sided) == "camera inside something"
    assert view_fault(from_behind, 40.0, wall, ~one_sided) is None  # a sheet may be visible from both sides
    away = from_behind @ np.diag([1.0, -1.0, -1.0, 1.0])
    assert view_fault(away, 40.0, wall, one_sided) == "camera sees nothing"


@pytest.mark.parametrize(("side", "reason"), [(6.0, "camera inside something"), (0.01, "camera sees nothing")])
def test_a_scene_without_good_views_is_rejected_with_the_reason(side: float, reason: str) -> None:
    plane = next(t for t in (random_template(np.random.default_rng(i), 900) for i in range(99)) if t.name == "plane")
    with pytest.raises(RejectedError, match=reason):
        random_cameras(np.random.default_rng(0), plane, [box(side)], 2)


def test_a_scene_with_good_views_gets_the_requested_number() -> None:
    plane = next(t for t in (random_template(np.random.default_rng(i), 900) for i in range(99)) if t.name == "plane")
    poses, fovs = random_cameras(np.random.default_rng(0), plane, [*plane.pieces, box(0.3)], 3)
    assert poses.shape == (3, 4, 4)
    assert fovs.shape == (3,)
