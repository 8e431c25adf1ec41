"""A balanced binary tree over points, stored as an order of the points.

The order has one slot per point. A node at height j is 2^j consecutive slots, of which the first is a multiple of 2^j;
its two halves are its children. The last node of a height may have fewer slots. The tree is a k-d tree (Bentley 1975)
that is split at the median, so that its shape depends on the number of points only.
"""

import torch
from torch import Tensor


def balanced_order(points: Tensor, leaf_size: int) -> Tensor:
    """The order of points [T, A] -> [T], the point in each slot: nodes are halved along their widest axis.

    leaf_size: number of points of a leaf, a power of two. Time O(T log^2 T).
    """
    count = len(points)
    size = max(1 << (count - 1).bit_length(), leaf_size)
    points = torch.nn.functional.pad(points, (0, 0, 0, size - count))
    order = torch.arange(size, device=points.device)
    while size > leaf_size:
        order = order.view(-1, size)
        nodes, empty = points[order], order >= count
        low = nodes.masked_fill(empty[..., None], torch.inf).amin(1)
        high = nodes.masked_fill(empty[..., None], -torch.inf).amax(1)
        widest = (high - low).argmax(1)[:, None, None].expand(-1, size, 1)
        # Empty slots sort last, so they are the last slots of every node.
        coordinate = nodes.gather(2, widest)[..., 0].masked_fill(empty, torch.inf)
        order = order.gather(1, coordinate.argsort(dim=1, stable=True)).flatten()
        size //= 2
    return order[:count]


def sums_over_nodes(leaves: Tensor) -> list[Tensor]:
    """The sum over each node, a tensor per level, from the leaves [n, C] up to the root [1, C].

    A level with an odd number of nodes gets an empty one more, so that node i always has children 2i and 2i + 1.
    """
    levels = [leaves]
    while len(levels[-1]) > 1:
        if len(levels[-1]) % 2:
            levels[-1] = torch.nn.functional.pad(levels[-1], (0, 0, 0, 1))
        levels.append(levels[-1][0::2] + levels[-1][1::2])
    return levels
