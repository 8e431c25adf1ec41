"""The plan of near-far attention, made once per scene: the tree over its triangles, and the keys of each block."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rfcli.attention.emitter_clusters import SceneKeys
from rfcli.attention.nearfar.choose_keys import Nodes, choose_keys
from rfcli.attention.nearfar.tree import balanced_order, sums_over_nodes

BLOCK = 512  # queries that share their keys; blocks of 128 are no more accurate, and gather more keys in total
MAX_LEAF_SIZE = 128  # triangles in a leaf, at most
LEAVES_PER_KEY = 8  # a leaf holds at most 1 / (8 K) of the triangles, or one; smaller leaves would rarely be keys
FEATURE_WEIGHT = 0.25  # weight of the variance of normals and colours, relative to that of positions
EPSILON = 1e-9
KEY_MULTIPLE = 16  # keys per block are padded to a multiple of this; other widths are up to 10 % slower
LOG_ZERO = -1e30  # log weight of an empty row: finite, so that its product with zero is zero


@dataclass(frozen=True)
class ScenePlan:
    """The plan of one scene: T triangles in the tree, P slots of queries (rounded up to blocks), M nodes, E exact keys.

    Attributes:
        exact: Registers and emitters, or clusters of emitters: keys of every query, which are in no tree.
        exact_queries: Tokens that attend to all keys: registers and, unless they are clustered, emitters.
        order: [P] token in each slot: the tree's order, then emitters that are clustered, which have the keys of a
            block but are no part of the tree. The slots from `queries` on are empty and repeat a token.
        count: T, the slots that belong to the tree.
        queries: Slots with a query: T, or with emitters that are clustered T and their number.
        leaf_size: Slots of a leaf, a power of two.
        slot_shares: [P] share of each slot in the weight of its leaf.
        levels: Slices of the M nodes that belong to each level, from the leaves up to the root.
        left_shares: For each level except the root: [n, 1] share of the left child in the weight of its parent.
        key_rows: [P / 512, L] int32, ascending: the rows of the key table that are the keys of each block. A row is
            0 .. M - 1 for a node, M + e for exact key e, M + E for padding. L is K + E, rounded up to a multiple
            of 16.
        log_weight: [M + E + 1] log weight of each row of the key table; LOG_ZERO for empty rows.
    """

    exact: SceneKeys
    exact_queries: Tensor
    order: Tensor
    count: int
    queries: int
    leaf_size: int
    slot_shares: Tensor
    levels: list[slice]
    left_shares: list[Tensor]
    key_rows: Tensor
    log_weight: Tensor

    @property
    def nodes(self) -> int:
        """The number M of nodes."""
        return int(self.levels[-1].stop)


def plan_scene(
    features: Tensor, pooled: Tensor, exact: SceneKeys, log_weight: Tensor, keys: int, registers: int
) -> ScenePlan:
    """The plan of one scene of N tokens; K = `keys` nodes are the keys of a block, besides the exact keys.

    features [N, A]: see `Context`. pooled [N] bool: tokens in the tree. log_weight [N].
    """
    tokens = pooled.nonzero()[:, 0]
    count = len(tokens)
    leaf_size = choose_leaf_size(count, keys)
    blockwise = exact.tokens[exact.tokens >= registers] if exact.clustered else exact.tokens[:0]
    queries = count + len(blockwise)
    points = features[torch.cat([tokens, blockwise])].float()
    extent = (points[:count, :3].amax(0) - points[:count, :3].amin(0)).max() / 2
    points[:, :3] /= extent.clamp_min(EPSILON)
    order = balanced_order(points[:count], leaf_size)
    order = torch.cat([order, torch.arange(count, queries, device=order.device)])
    order = torch.nn.functional.pad(order, (0, -queries % BLOCK))
    slot = torch.arange(len(order), device=order.device)
    filled = (slot < count).float()
    log_mean = log_weight[tokens].logsumexp(0) - math.log(count)
    tokens = torch.cat([tokens, blockwise])
    weight = (log_weight[tokens][order] - log_mean).exp() * filled

    points = points[order]
    nodes, total = _describe_nodes(points, weight, filled, leaf_size)
    centre, radius = _describe_blocks(points, (slot < queries).float())
    chosen = choose_keys(nodes, centre, radius, keys)

    padding = len(total) + len(exact.log_weight)
    exact_rows = torch.arange(len(total), padding, device=chosen.device).expand(len(chosen), -1)
    key_rows = torch.cat([torch.where(chosen < 0, padding, chosen), exact_rows], 1)
    key_rows = torch.nn.functional.pad(key_rows, (0, -key_rows.shape[1] % KEY_MULTIPLE), value=padding)
    log_total = torch.cat([total.log() + log_mean, exact.log_weight, log_weight.new_full((1,), LOG_ZERO)])
    ends = [*nodes.starts[1:], len(total)]
    return ScenePlan(
        exact=exact,
        exact_queries=exact.tokens[exact.tokens < registers] if exact.clustered else exact.tokens,
        order=tokens[order],
        count=count,
        queries=queries,
        leaf_size=leaf_size,
        slot_shares=_shares(weight.view(-1, leaf_size)).flatten(),
        levels=[slice(start, end) for start, end in zip(nodes.starts, ends, strict=True)],
        left_shares=_left_shares(weight.view(-1, leaf_size).sum(1)),
        key_rows=key_rows.int().sort(1).values,  # ascending rows are gathered in half the time
        log_weight=log_total.clamp_min(LOG_ZERO),
    )


def choose_leaf_size(count: int, keys: int) -> int:
    """The number of triangles of a leaf, a power of two from 1 to 128."""
    return min(MAX_LEAF_SIZE, 1 << max(0, (count // (LEAVES_PER_KEY * keys)).bit_length() - 1))


def _shares(weight: Tensor) -> Tensor:
    """[n, c] share of each weight in the sum of its row; equal shares where the sum is 0."""
    total = weight.sum(1, keepdim=True)
    return torch.where(total > 0, weight / total.clamp_min(torch.finfo(total.dtype).tiny), 1 / weight.shape[1])


def _left_shares(weight: Tensor) -> list[Tensor]:
    """[n, 1] share of the left child, for the n nodes of each level above the leaves. weight: of the leaves."""
    sums = sums_over_nodes(weight[:, None])
    return [_shares(children.view(-1, 2))[:, :1] for children in sums[:-1]]


def _describe_nodes(points: Tensor, weight: Tensor, filled: Tensor, leaf_size: int) -> tuple[Nodes, Tensor]:
    """The nodes for `choose_keys`, and the weight [M] of each. points [P, A]; weight, filled [P]."""
    axes = points.shape[1]
    columns = [filled[:, None], weight[:, None], weight[:, None] * points, weight[:, None] * points.square()]
    levels = sums_over_nodes(torch.cat(columns, 1).view(-1, leaf_size, 2 + 2 * axes).sum(1))
    filled_slots, total, first, second = torch.split(torch.cat(levels), [1, 1, axes, axes], 1)
    mean = first / total.clamp_min(EPSILON)
    variance = (second / total.clamp_min(EPSILON) - mean.square()).clamp_min(0)
    spread = total[:, 0] * (variance[:, :3].sum(1) + FEATURE_WEIGHT * variance[:, 3:].sum(1) + EPSILON)
    spread[filled_slots[:, 0] == 0] = -1
    spread[: len(levels[0])] = -1
    starts = [0]
    for level in levels[:-1]:
        starts.append(starts[-1] + len(level))
    return Nodes(starts, filled_slots[:, 0] > 0, mean[:, :3].contiguous(), spread), total[:, 0]


def _describe_blocks(points: Tensor, filled: Tensor) -> tuple[Tensor, Tensor]:
    """Centre [n, 3] and root mean square radius [n] of all n = P / 512 blocks. points [P, A]; filled [P]."""
    position, filled = points[:, :3].view(-1, BLOCK, 3), filled.view(-1, BLOCK, 1)
    filled_slots = filled.sum(1)
    centre = (position * filled).sum(1) / filled_slots
    squared = ((position - centre[:, None]) * filled).square().sum((1, 2)) / filled_slots[:, 0]
    return centre, squared.sqrt()
