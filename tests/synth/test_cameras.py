import numpy as np
import pytest

from rfcli.synth.cameras import fault, look_at, random_cameras
from rfcli.synth.materials import materials
from rfcli.synth.parts import Piece, piece
from rfcli.synth.rejection import RejectedError
from rfcli.synth.shapes.boxes import boxes
from rfcli.synth.shapes.grid import grid_mesh, rectangle
from rfcli.synth.templates import random_template


def test_a_camera_is_a_rotation_that_looks_down_minus_z_with_up_up() -> None:
    eye, target = np.array([0.4, -1.5, 0.7]), np.array([0.1, 0.0, -0.2])
    pose = look_at(eye, target)
    rotation = pose[:3, :3]
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert -pose[:3, 2] == pytest.approx((target - eye) / np.linalg.norm(target - eye))
    assert pose[2, 0] == pytest.approx(0.0)
    assert pose[2, 1] > 0
    assert pose[:3, 3] == pytest.approx(eye)


def box(side: float) -> Piece:
    mesh = boxes([((-side / 2,) * 3, (side / 2,) * 3)], 12)
    return piece(mesh, materials(np.ones((12, 3)), 0, 1), smooth=False)


def test_a_wall_is_seen_from_its_front_only_and_not_from_too_near() -> None:
    wall = np.asarray(grid_mesh(rectangle(2, 2, 4, 4)).triangles)  # faces +z
    straight_down, one_sided = np.eye(4), np.zeros(len(wall), bool)
    for height, wrong in ((1.5, None), (0.2, "camera too near")):
        straight_down[2, 3] = height
        assert fault(straight_down, 40.0, wall, one_sided) == wrong
    from_behind = np.diag([-1.0, 1.0, -1.0, 1.0])
    from_behind[2, 3] = -1.5
    assert fault(from_behind, 40.0, wall, one_sided) == "camera inside something"
    assert fault(from_behind, 40.0, wall, ~one_sided) is None  # a sheet has no wrong side
    away = from_behind @ np.diag([1.0, -1.0, -1.0, 1.0])
    assert fault(away, 40.0, wall, one_sided) == "camera sees nothing"


@pytest.mark.parametrize(("side", "reason"), [(6.0, "camera inside something"), (0.01, "camera sees nothing")])
def test_scenes_without_a_good_view_are_rejected_by_name(side: float, reason: str) -> None:
    plane = next(t for t in (random_template(np.random.default_rng(i), 900) for i in range(99)) if t.name == "plane")
    with pytest.raises(RejectedError, match=reason):
        random_cameras(np.random.default_rng(0), plane, [box(side)], 2)


def test_a_scene_with_good_views_has_as_many_as_asked() -> None:
    plane = next(t for t in (random_template(np.random.default_rng(i), 900) for i in range(99)) if t.name == "plane")
    poses, fovs = random_cameras(np.random.default_rng(0), plane, [*plane.pieces, box(0.3)], 3)
    assert poses.shape == (3, 4, 4)
    assert fovs.shape == (3,)
