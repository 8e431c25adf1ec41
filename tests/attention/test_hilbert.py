"""Hilbert curves: against codes of the official code, and by their own properties."""

import numpy as np
import pytest
import torch

from rfcli.attention.hilbert import hilbert_codes, hilbert_order
from tests.support.model_official import GOLDEN


def test_codes_and_order_equal_those_of_the_official_code() -> None:
    arrays = {name: torch.from_numpy(value) for name, value in np.load(GOLDEN / "v2" / "hilbert-codes.npz").items()}
    assert torch.equal(hilbert_codes(arrays["grid"]), arrays["out_code"])
    assert torch.equal(hilbert_codes(arrays["small_grid"], bits=2), arrays["out_small_code_depth2"])
    assert torch.equal(hilbert_order(arrays["centres"]), arrays["out_order"])


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_curve_visits_every_point_once_in_steps_of_one(bits: int) -> None:
    grid = torch.cartesian_prod(*[torch.arange(2**bits)] * 3)
    codes = hilbert_codes(grid, bits)
    assert torch.equal(codes.sort().values, torch.arange(8**bits))
    assert torch.equal(grid[codes.argsort()].diff(dim=0).abs().sum(1), torch.ones(8**bits - 1, dtype=torch.long))


@pytest.mark.parametrize("flat", [(), (2,), (0, 1), (0, 1, 2)])
def test_points_without_extent_along_an_axis_are_ordered_by_the_others(flat: tuple[int, ...]) -> None:
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(1))
    points[:, flat] = 0.3
    shifted = points.clone()
    shifted[:, flat] = -2.0
    order = hilbert_order(points)
    assert torch.equal(order.sort().values, torch.arange(50))
    assert torch.equal(order, hilbert_order(shifted))
    assert len(flat) < 3 or torch.equal(order, torch.arange(50))  # equal codes keep their order


def test_no_points() -> None:
    assert hilbert_order(torch.zeros(0, 3)).shape == (0,)
