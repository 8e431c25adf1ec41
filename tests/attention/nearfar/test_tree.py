"""The order of a balanced tree, compared with a recursive implementation."""

import pytest
import torch
from torch import Tensor

from rfcli.attention.nearfar.tree import balanced_order, sums_over_nodes


def recursive_leaves(points: Tensor, tokens: list[int], size: int, leaf_size: int) -> list[list[int]]:
    """The points of every leaf, left to right."""
    if size == leaf_size or not tokens:
        return [tokens] if tokens else []
    chosen = points[tokens]
    axis = int((chosen.amax(0) - chosen.amin(0)).argmax())
    tokens = sorted(tokens, key=lambda token: float(points[token, axis]))
    half = size // 2
    return recursive_leaves(points, tokens[:half], half, leaf_size) + recursive_leaves(
        points, tokens[half:], half, leaf_size
    )


@pytest.mark.parametrize(("count", "leaf_size"), [(1, 1), (5, 1), (8, 2), (100, 4), (129, 1), (1000, 128), (3, 16)])
def test_leaves_equal_those_of_recursive_reference(count: int, leaf_size: int) -> None:
    points = torch.rand(count, 6, generator=torch.Generator().manual_seed(count))
    order = balanced_order(points, leaf_size).tolist()
    assert sorted(order) == list(range(count))
    size = leaf_size
    while size < count:
        size *= 2
    expected = recursive_leaves(points, list(range(count)), size, leaf_size)
    found = [order[start : start + leaf_size] for start in range(0, count, leaf_size)]
    assert [sorted(leaf) for leaf in found] == [sorted(leaf) for leaf in expected]


@pytest.mark.parametrize("leaves", [1, 2, 3, 7, 16, 21])
def test_sums_over_nodes_are_sums_over_their_leaves(leaves: int) -> None:
    values = torch.rand(leaves, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(leaves))
    for level, sums in enumerate(sums_over_nodes(values)):
        size = 2**level
        assert len(sums) == 1 or len(sums) % 2 == 0
        for node, total in enumerate(sums):
            assert torch.allclose(total, values[node * size : (node + 1) * size].sum(0))
    assert torch.allclose(sums[0], values.sum(0))
