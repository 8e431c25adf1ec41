"""Properties of every shape family, over seeds and budgets."""

import numpy as np
import pytest
import trimesh

from rfcli.synth.shapes import FAMILIES, make_shape, random_shape

BUDGETS = (0, 150, 900)  # 0: the family's minimum


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", FAMILIES)
def test_shapes_are_closed_or_declared_open_regular_and_within_their_budget(name: str, budget: int) -> None:
    budget = max(budget, FAMILIES[name].min_faces)
    for seed in range(5):
        mesh = make_shape(name, np.random.default_rng([seed, 7]), budget)
        assert budget * 0.25 <= len(mesh.faces) <= budget
        assert np.isfinite(mesh.vertices).all()
        assert mesh.is_winding_consistent
        if FAMILIES[name].closed:
            assert mesh.is_watertight
            assert mesh.volume > 0
        else:
            assert len(border(mesh)) > 0
        assert mesh.extents.max() == pytest.approx(1.0)
        assert mesh.bounds.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
        areas = mesh.area_faces
        assert areas.min() > 0
        assert np.median(areas) > 0.2 * areas.mean()


@pytest.mark.parametrize("budget", [20_000, 62_000])
@pytest.mark.parametrize("name", FAMILIES)
def test_large_budgets_are_kept(name: str, budget: int) -> None:
    """Shapes of limited detail (implicit ones on a fixed grid) have fewer faces, never more."""
    mesh = make_shape(name, np.random.default_rng([0, 7]), budget)
    assert 3000 < len(mesh.faces) <= budget
    assert mesh.is_watertight == FAMILIES[name].closed
    assert mesh.area_faces.min() > 0


@pytest.mark.parametrize("name", FAMILIES)
def test_shapes_depend_on_the_seed_alone(name: str) -> None:
    budget = max(300, FAMILIES[name].min_faces)
    first, again, other = (make_shape(name, np.random.default_rng(seed), budget) for seed in (1, 1, 2))
    assert (first.vertices == again.vertices).all()
    assert abs(first.area - other.area) > 1e-4


def border(mesh: trimesh.Trimesh) -> np.ndarray:
    """[E, 2] edges with one face."""
    edges, count = np.unique(np.sort(mesh.edges, axis=1), axis=0, return_counts=True)
    assert count.max() <= 2
    return np.asarray(edges[count == 1])


def test_small_budgets_get_simple_shapes() -> None:
    for seed in range(40):
        assert len(random_shape(np.random.default_rng(seed), 24).faces) <= 24
