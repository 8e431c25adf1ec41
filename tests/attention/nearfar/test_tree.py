"""The order of a balanced tree, against a recursive implementation."""

import pytest
import torch
from torch import Tensor

from rfcli.attention.nearfar.tree import balanced_order, sums_over_nodes


def recursive_runs(points: Tensor, tokens: list[int], size: int, smallest: int) -> list[list[int]]:
    """The smallest runs, left to right."""
    if size == smallest or not tokens:
        return [tokens] if tokens else []
    chosen = points[tokens]
    axis = int((chosen.amax(0) - chosen.amin(0)).argmax())
    tokens = sorted(tokens, key=lambda token: float(points[token, axis]))
    half = size // 2
    return recursive_runs(points, tokens[:half], half, smallest) + recursive_runs(points, tokens[half:], half, smallest)


@pytest.mark.parametrize(("count", "smallest"), [(1, 1), (5, 1), (8, 2), (100, 4), (129, 1), (1000, 128), (3, 16)])
def test_runs_equal_those_of_the_recursive_reference(count: int, smallest: int) -> None:
    points = torch.rand(count, 6, generator=torch.Generator().manual_seed(count))
    order = balanced_order(points, smallest).tolist()
    assert sorted(order) == list(range(count))
    size = smallest
    while size < count:
        size *= 2
    expected = recursive_runs(points, list(range(count)), size, smallest)
    runs = [order[start : start + smallest] for start in range(0, count, smallest)]
    assert [sorted(run) for run in runs] == [sorted(run) for run in expected]


@pytest.mark.parametrize("leaves", [1, 2, 3, 7, 16, 21])
def test_sums_over_nodes_are_sums_over_their_leaves(leaves: int) -> None:
    values = torch.rand(leaves, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(leaves))
    for level, sums in enumerate(sums_over_nodes(values)):
        size = 2**level
        assert len(sums) == 1 or len(sums) % 2 == 0
        for node, total in enumerate(sums):
            assert torch.allclose(total, values[node * size : (node + 1) * size].sum(0))
    assert torch.allclose(sums[0], values.sum(0))
