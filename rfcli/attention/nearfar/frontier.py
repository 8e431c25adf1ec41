"""Which nodes of the tree are the keys of a block of queries: the K nodes at which a greedy descent ends.

To open a node is to replace it by its two children. A node is opened the sooner, the more its triangles differ and the
nearer they are:

    score = weight (Var position + Var other features / 4) / (distance + 0.15)

The descent starts at the root and opens the node of highest score K - 1 times. With e = min(e of the parent, score),
which decreases along every path, the opened nodes are simply the K - 1 of largest e. So no queue is needed: all blocks
descend level by level together, each with its K best candidates.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SOFTENING = 0.15  # in half extents of the scene: distances well below this make no difference
DECREASE = 1 - 1e-6  # makes e of a child strictly less than that of its parent
BLOCKS_AT_ONCE = 64  # bounds memory


@dataclass(frozen=True)
class Nodes:
    """M nodes, level by level from the smallest up to the root; children of node i of a level: 2i, 2i + 1 below.

    Attributes:
        starts: Index of the first node of each level.
        filled: [M] bool, False = an empty node.
        centre: [M, 3] mean position.
        spread: [M] weight times variances, the numerator of the score; -1 for nodes that must not be opened.
    """

    starts: list[int]
    filled: Tensor
    centre: Tensor
    spread: Tensor


def choose_nodes(nodes: Nodes, centre: Tensor, radius: Tensor, keys: int) -> Tensor:
    """The nodes of each block as indices [Q, keys], -1 in unused slots; together they hold every triangle once.

    centre [Q, 3] and radius [Q] of the blocks.
    """
    parts = [
        _descend(nodes, *block, keys)
        for block in zip(torch.split(centre, BLOCKS_AT_ONCE), torch.split(radius, BLOCKS_AT_ONCE), strict=True)
    ]
    return torch.cat(parts)


def _descend(nodes: Nodes, centre: Tensor, radius: Tensor, keys: int) -> Tensor:
    rows = torch.full((len(centre), 1), nodes.starts[-1], device=centre.device)
    parent = torch.full(rows.shape, torch.inf, device=centre.device)
    visited: list[tuple[Tensor, Tensor, Tensor]] = []
    for level in range(len(nodes.starts) - 1, -1, -1):
        distance = (nodes.centre[rows] - centre[:, None]).norm(dim=-1)
        own = nodes.spread[rows] / ((distance - radius[:, None]).clamp_min(0) + SOFTENING)
        own = torch.minimum(parent * DECREASE, own)
        visited.append((rows, parent, own))
        if level:
            best, at = own.topk(min(keys, own.shape[1]), sorted=False)
            left = nodes.starts[level - 1] + 2 * (rows.gather(1, at) - nodes.starts[level])
            rows = torch.stack([left, left + 1], -1).flatten(1)
            parent = best.repeat_interleave(2, 1)
    rows, parent, own = (torch.cat(part, 1) for part in zip(*visited, strict=True))
    # At most keys - 1 nodes are above the threshold, and nodes that must not be opened never are.
    enough = own.shape[1] >= keys
    threshold = own.topk(keys, sorted=True).values[:, -1:].clamp_min(0) if enough else own.new_zeros(len(own), 1)
    chosen = (parent > threshold) & (own <= threshold) & nodes.filled[rows]
    slot = torch.where(chosen, chosen.cumsum(1) - 1, keys)
    slots = rows.new_full((len(rows), keys + 1), -1).scatter_(1, slot, rows)
    return slots[:, :keys]
