"""A balanced binary tree over points, stored as an order of the points.

Each aligned run of 2^j places of the order is a node, and its halves are the children; the last run may be shorter. It
is a k-d tree (Bentley 1975) split by rank, so that its shape depends on the number of points only.
"""

import torch
from torch import Tensor


def balanced_order(points: Tensor, smallest: int) -> Tensor:
    """The order of points [N, F] -> [N], the point at each place: runs are halved along their widest axis.

    smallest: number of points of the smallest nodes, a power of two. Time O(N log^2 N).
    """
    count = len(points)
    size = max(1 << (count - 1).bit_length(), smallest)
    points = torch.nn.functional.pad(points, (0, 0, 0, size - count))
    order = torch.arange(size, device=points.device)
    while size > smallest:
        order = order.view(-1, size)
        runs, empty = points[order], order >= count
        low = runs.masked_fill(empty[..., None], torch.inf).amin(1)
        high = runs.masked_fill(empty[..., None], -torch.inf).amax(1)
        widest = (high - low).argmax(1)[:, None, None].expand(-1, size, 1)
        # Empty places sort last, so they are the last places at every level.
        coordinate = runs.gather(2, widest)[..., 0].masked_fill(empty, torch.inf)
        order = order.gather(1, coordinate.argsort(dim=1, stable=True)).flatten()
        size //= 2
    return order[:count]


def sums_over_nodes(leaves: Tensor) -> list[Tensor]:
    """The sum over each node, a tensor per level, from the smallest nodes [n, C] up to the root [1, C].

    A level with an odd number of nodes gets one more, empty, so that node i always has children 2i and 2i + 1.
    """
    levels = [leaves]
    while len(levels[-1]) > 1:
        if len(levels[-1]) % 2:
            levels[-1] = torch.nn.functional.pad(levels[-1], (0, 0, 0, 1))
        levels.append(levels[-1][0::2] + levels[-1][1::2])
    return levels
