"""The K nodes of the tree that are the keys of a block of queries, found by a greedy descent.

A descent starts with the root alone. K - 1 times it replaces the node of highest score by its two children:

    score = weight (Var position + Var other surface features / 4) / (distance + 0.15)

The score is high for heavy nodes close to the block, whose triangles differ. Distances are in half extents of the
scene. The nodes left at the end contain every triangle once.

The code gets the same nodes without a queue. Let the priority of a node be min(priority of its parent, score), which
decreases along every path from the root. Then the replaced nodes are the K - 1 nodes of highest priority. All blocks
descend together, level by level; at each level a block keeps the K nodes of highest priority.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SOFTENING = 0.15  # in half extents of the scene: differences of distances far below this have little effect
PRIORITY_DECAY = 1 - 1e-6  # makes the priority of a child strictly lower than that of its parent
BLOCKS_AT_ONCE = 64  # bounds memory


@dataclass(frozen=True)
class Nodes:
    """M nodes, level by level from the leaves up to the root.

    The children of node i of a level are nodes 2i and 2i + 1 of the level below.

    Attributes:
        starts: Index of the first node of each level.
        filled: [M] bool, False = the node has no triangles.
        centre: [M, 3] mean position.
        spread: [M] weight times variances, the numerator of the score; -1 for leaves and for empty nodes, which are
            never replaced.
    """

    starts: list[int]
    filled: Tensor
    centre: Tensor
    spread: Tensor


def choose_keys(nodes: Nodes, centre: Tensor, radius: Tensor, keys: int) -> Tensor:
    """The nodes [n, keys] that are the keys of n blocks, as indices of nodes; -1 where a block has fewer.

    centre [n, 3] and radius [n] of the blocks.
    """
    parts = [
        _descend(nodes, *block, keys)
        for block in zip(torch.split(centre, BLOCKS_AT_ONCE), torch.split(radius, BLOCKS_AT_ONCE), strict=True)
    ]
    return torch.cat(parts)


def _descend(nodes: Nodes, centre: Tensor, radius: Tensor, keys: int) -> Tensor:
    index = torch.full((len(centre), 1), nodes.starts[-1], device=centre.device)
    parent = torch.full(index.shape, torch.inf, device=centre.device)  # priority of the parent
    visited: list[tuple[Tensor, Tensor, Tensor]] = []
    for level in range(len(nodes.starts) - 1, -1, -1):
        distance = (nodes.centre[index] - centre[:, None]).norm(dim=-1)
        score = nodes.spread[index] / ((distance - radius[:, None]).clamp_min(0) + SOFTENING)
        priority = torch.minimum(parent * PRIORITY_DECAY, score)
        visited.append((index, parent, priority))
        if level:
            best, at = priority.topk(min(keys, priority.shape[1]), sorted=False)
            left = nodes.starts[level - 1] + 2 * (index.gather(1, at) - nodes.starts[level])
            index = torch.stack([left, left + 1], -1).flatten(1)
            parent = best.repeat_interleave(2, 1)
    index, parent, priority = (torch.cat(part, 1) for part in zip(*visited, strict=True))
    # At most keys - 1 nodes are above the threshold. Leaves and empty nodes never are, as it is not negative.
    enough = priority.shape[1] >= keys
    threshold = (
        priority.topk(keys, sorted=True).values[:, -1:].clamp_min(0) if enough else priority.new_zeros(len(priority), 1)
    )
    chosen = (parent > threshold) & (priority <= threshold) & nodes.filled[index]
    column = torch.where(chosen, chosen.cumsum(1) - 1, keys)  # the others are written into a last column
    return index.new_full((len(index), keys + 1), -1).scatter_(1, column, index)[:, :keys]
