"""What every shape family promises, over seeds and budgets."""

import numpy as np
import pytest
import trimesh

from rfcli.synth.shapes import FAMILIES, SMALLEST, make, random_shape

BUDGETS = (0, 150, 900)  # 0: the smallest that the family takes
SMALLEST_OF_ALL = 20


def seeds(name: str) -> range:
    return range(4 if name in ("boolean", "metaball") else 6)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", FAMILIES)
def test_shapes_are_closed_even_and_within_their_budget(name: str, budget: int) -> None:
    budget = max(budget, SMALLEST.get(name, SMALLEST_OF_ALL))
    for seed in seeds(name):
        mesh = make(name, np.random.default_rng([seed, 7]), budget)
        assert budget * 0.25 <= len(mesh.faces) <= budget
        assert np.isfinite(mesh.vertices).all()
        assert mesh.is_winding_consistent
        assert mesh.is_watertight
        assert mesh.volume > 0
        assert mesh.extents.max() == pytest.approx(1.0)
        assert mesh.bounds.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
        areas = mesh.area_faces
        assert areas.min() > 0
        assert np.median(areas) > 0.25 * areas.mean()


@pytest.mark.parametrize("name", FAMILIES)
def test_shapes_vary_with_their_seed_and_only_with_it(name: str) -> None:
    budget = max(300, SMALLEST.get(name, 0))
    first, again, other = (make(name, np.random.default_rng(seed), budget) for seed in (1, 1, 2))
    assert (first.vertices == again.vertices).all()
    assert abs(first.volume - other.volume) > 1e-4


def test_small_budgets_get_simple_shapes() -> None:
    for seed in range(40):
        assert len(random_shape(np.random.default_rng(seed), 24).faces) <= 24


def test_a_cylinder_has_a_cylinders_volume() -> None:
    from rfcli.synth.shapes.swept import lathe

    height, radius = 1.3, 0.5
    profile = np.array([(0, 0), (radius, 0), (radius, height), (0, height)], float)
    mesh = lathe(profile, 4000)
    assert mesh.volume == pytest.approx(np.pi * radius**2 * height, rel=0.01)


def test_a_torus_has_the_volume_pappus_says() -> None:
    from rfcli.synth.shapes.swept import tube

    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    mesh = tube(np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1), 0.3, 6000)
    assert abs(mesh.volume) == pytest.approx(np.pi * 0.3**2 * 2 * np.pi, rel=0.01)


def test_decimation_keeps_the_shape() -> None:
    from rfcli.synth.shapes.budget import decimate

    fine = trimesh.creation.icosphere(4)
    coarse = decimate(fine, 300)
    assert len(coarse.faces) <= 300
    assert coarse.volume == pytest.approx(fine.volume, rel=0.04)
