import numpy as np
import pytest

from rfcli.synth.templates import SHARES, WALLS, random_template, wall_cells


def test_walls_have_8_by_8_cells_if_the_budget_allows_and_face_inwards() -> None:
    rng = np.random.default_rng(0)
    names = set()
    for _ in range(60):
        template = random_template(rng, 1536)
        names.add(template.name)
        assert len(template.pieces) == WALLS[template.name] + 1
        for wall in template.pieces:
            assert len(wall.triangles) == 128
            centre = wall.triangles.mean(axis=(0, 1))
            assert (wall.vn[0, 0] @ -centre) > 0.3
            assert wall.triangles[..., 2].min() > -0.5 - 1e-9
            winding = np.cross(*(wall.triangles[:, k] - wall.triangles[:, 0] for k in (1, 2)))
            assert (np.einsum("ni,ni->n", winding, wall.vn[:, 0]) > 0).all()
    assert names == set(SHARES)


def test_positions_of_the_walls_of_a_room() -> None:
    rng = np.random.default_rng(3)
    template = next(t for t in (random_template(rng, 2000) for _ in range(100)) if t.name == "room")
    floor, back, right, left, ceiling = (wall.triangles.reshape(-1, 3) for wall in template.pieces)
    assert floor[:, 2] == pytest.approx(-0.5)
    assert back[:, 1] == pytest.approx(0.5)
    assert right[:, 0] == pytest.approx(0.5)
    assert left[:, 0] == pytest.approx(-0.5)
    assert ceiling[:, 2] == pytest.approx(0.5)


@pytest.mark.parametrize(("name", "triangles", "cells"), [("room", 1280, 8), ("room", 400, 4), ("room", 256, 3)])
def test_walls_are_coarser_for_few_triangles(name: str, triangles: int, cells: int) -> None:
    assert wall_cells(name, triangles) == cells


def test_no_room_if_even_coarse_walls_need_more_than_half() -> None:
    assert wall_cells("room", 100) == 0
