"""A balanced binary tree over points, kept as nothing but an order of them.

Each aligned run of 2^j places of the order is a node, whose halves are its children; the last run may be shorter. Like
a k-d tree (Bentley 1975), but split by rank, so that the tree's shape follows from the number of points alone.
"""

import torch
from torch import Tensor


def balanced_order(points: Tensor, smallest: int) -> Tensor:
    """Points [N, F] -> [N], the point at each place: runs are halved across their widest axis down to `smallest`.

    smallest: points of the smallest nodes, a power of two. Time O(N log^2 N).
    """
    count = len(points)
    size = max(1 << (count - 1).bit_length(), smallest)
    points = torch.nn.functional.pad(points, (0, 0, 0, size - count))
    order = torch.arange(size, device=points.device)
    while size > smallest:
        order = order.view(-1, size)
        runs, beyond = points[order], order >= count
        low = runs.masked_fill(beyond[..., None], torch.inf).amin(1)
        high = runs.masked_fill(beyond[..., None], -torch.inf).amax(1)
        widest = (high - low).argmax(1)[:, None, None].expand(-1, size, 1)
        # Places beyond the last point sort behind all others, and so stay behind them at every level.
        along = runs.gather(2, widest)[..., 0].masked_fill(beyond, torch.inf)
        order = order.gather(1, along.argsort(dim=1, stable=True)).flatten()
        size //= 2
    return order[:count]


def sums_over_nodes(leaves: Tensor) -> list[Tensor]:
    """Sums over every node, a tensor per level from the smallest nodes [n, C] up to the root [1, C].

    A level of an odd number of nodes gets one more, empty, so that children 2i and 2i + 1 of node i always exist.
    """
    levels = [leaves]
    while len(levels[-1]) > 1:
        if len(levels[-1]) % 2:
            levels[-1] = torch.nn.functional.pad(levels[-1], (0, 0, 0, 1))
        levels.append(levels[-1][0::2] + levels[-1][1::2])
    return levels
