"""Which nodes of the tree a block of queries reads: the K that a greedy descent ends with.

Opening a node means reading its two children in its place. A node is worth opening as its pooled triangles differ and
as they are near:

    score = weight (Var position + Var other features / 4) / (distance + 0.15)

Starting at the root, the node of the highest score is opened K - 1 times. With e = min(e of the parent, score), which
falls along every path, the nodes to open are simply the K - 1 of largest e: no queue is needed, and all blocks can
go down level by level at once, each with its K best candidates.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SOFTENING = 0.15  # in half extents of the scene: nearer than this, nearness matters no more
FALLING = 1 - 1e-6  # e of a child is strictly below its parent's
BLOCKS_AT_ONCE = 64  # bounds memory


@dataclass(frozen=True)
class Nodes:
    """M nodes, level by level from the smallest up to the root; children of node i of a level: 2i, 2i + 1 below.

    starts: first row of each level. holds [M] bool: not empty. centre [M, 3] of position.
    spread [M]: weight times variances; -1 for nodes that are not opened.
    """

    starts: list[int]
    holds: Tensor
    centre: Tensor
    spread: Tensor


def choose_nodes(nodes: Nodes, centre: Tensor, radius: Tensor, keys: int) -> Tensor:
    """Rows [Q, keys] of the nodes that each block reads, -1 in slots that are left over.

    centre [Q, 3] and radius [Q] of the blocks. Together the nodes of a block hold every triangle exactly once.
    """
    parts = [
        _descend(nodes, *block, keys)
        for block in zip(torch.split(centre, BLOCKS_AT_ONCE), torch.split(radius, BLOCKS_AT_ONCE), strict=True)
    ]
    return torch.cat(parts)


def _descend(nodes: Nodes, centre: Tensor, radius: Tensor, keys: int) -> Tensor:
    rows = torch.full((len(centre), 1), nodes.starts[-1], device=centre.device)
    parent = torch.full(rows.shape, torch.inf, device=centre.device)
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    for level in range(len(nodes.starts) - 1, -1, -1):
        distance = (nodes.centre[rows] - centre[:, None]).norm(dim=-1)
        own = nodes.spread[rows] / ((distance - radius[:, None]).clamp_min(0) + SOFTENING)
        own = torch.minimum(parent * FALLING, own)
        seen.append((rows, parent, own))
        if level:
            best, at = own.topk(min(keys, own.shape[1]), sorted=False)
            left = nodes.starts[level - 1] + 2 * (rows.gather(1, at) - nodes.starts[level])
            rows = torch.stack([left, left + 1], -1).flatten(1)
            parent = best.repeat_interleave(2, 1)
    rows, parent, own = (torch.cat(part, 1) for part in zip(*seen, strict=True))
    # At most keys - 1 nodes are above the threshold, and a node that may not be opened never is.
    enough = own.shape[1] >= keys
    threshold = own.topk(keys, sorted=True).values[:, -1:].clamp_min(0) if enough else own.new_zeros(len(own), 1)
    read = (parent > threshold) & (own <= threshold) & nodes.holds[rows]
    slot = torch.where(read, read.cumsum(1) - 1, keys)
    chosen = rows.new_full((len(rows), keys + 1), -1).scatter_(1, slot, rows)
    return chosen[:, :keys]
