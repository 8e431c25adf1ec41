"""The plan of near-far attention, made once per scene: the tree over its triangles, and the keys of each block."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rfcli.attention.nearfar.frontier import Nodes, choose_nodes
from rfcli.attention.nearfar.tree import balanced_order, sums_over_nodes

BLOCK = 512  # queries that share their keys; blocks of 128 gather more keys and come no closer to softmax
MAX_SMALLEST = 128  # upper limit of the triangles in the smallest nodes
NODES_PER_KEY = 8  # the smallest nodes hold about 1 / (8 K) of the triangles each
FEATURE_WEIGHT = 0.25  # weight of the variance of normals and colours, relative to that of positions
EPSILON = 1e-9
KEY_MULTIPLE = 16  # keys per block are padded to a multiple of this: products of other widths are up to 10 % slower
LOG_ZERO = -1e30  # logarithm of the weight of an empty row: finite, so that products of it and zero are zero


@dataclass(frozen=True)
class ScenePlan:
    """The plan of one scene: N triangles at P places (N rounded up to whole blocks), M nodes, E exact tokens.

    Attributes:
        exact: [E] tokens that every query has as keys and that are never pooled: registers and emitters.
        order: [P] the token at each place of the tree's order; places from `count` on are empty and repeat a token.
        count: N.
        smallest: Places of a smallest node, a power of two.
        place_shares: [P] share of each place in the weight of its smallest node.
        levels: Slices of the M nodes that belong to each level, from the smallest nodes up to the root.
        left_shares: For each level but the root's: [n, 1] share of the left child in the weight of its parent.
        rows: [P / 512, L] int32, the keys of each block, ascending: 0 .. M - 1 for a node, M + e for exact token e, and
            M + E in unused slots. L is K + E rounded up to a multiple of 16.
        log_weight: [M + E + 1] of each of these rows; LOG_ZERO for empty ones.
    """

    exact: Tensor
    order: Tensor
    count: int
    smallest: int
    place_shares: Tensor
    levels: list[slice]
    left_shares: list[Tensor]
    rows: Tensor
    log_weight: Tensor

    @property
    def nodes(self) -> int:
        """M."""
        return int(self.levels[-1].stop)


def plan_scene(features: Tensor, pooled: Tensor, exact: Tensor, log_weight: Tensor, keys: int) -> ScenePlan:
    """The plan of one scene of T tokens with K = `keys`.

    features [T, F]: see `Context`. pooled, exact [T] bool: tokens in the tree, and exact tokens. log_weight [T].
    """
    tokens = pooled.nonzero()[:, 0]
    count = len(tokens)
    smallest = smallest_size(count, keys)
    points = features[tokens].float()
    extent = (points[:, :3].amax(0) - points[:, :3].amin(0)).max() / 2
    points[:, :3] /= extent.clamp_min(EPSILON)
    order = balanced_order(points, smallest)

    empty = -count % BLOCK
    order = torch.nn.functional.pad(order, (0, empty))
    filled = torch.ones(count, device=order.device)
    filled = torch.nn.functional.pad(filled, (0, empty))
    log_mean = log_weight[tokens].logsumexp(0) - math.log(count)
    weight = (log_weight[tokens][order] - log_mean).exp() * filled

    points = points[order]
    nodes, total = _describe_nodes(points, weight, filled, smallest)
    centre, radius = _describe_blocks(points, filled)
    chosen = choose_nodes(nodes, centre, radius, keys)

    exact_tokens = exact.nonzero()[:, 0]
    unused = len(total) + len(exact_tokens)
    exact_rows = torch.arange(len(total), unused, device=chosen.device).expand(len(chosen), -1)
    rows = torch.cat([torch.where(chosen < 0, unused, chosen), exact_rows], 1)
    rows = torch.nn.functional.pad(rows, (0, -rows.shape[1] % KEY_MULTIPLE), value=unused)
    log_total = torch.cat([total.log() + log_mean, log_weight[exact_tokens], log_weight.new_full((1,), LOG_ZERO)])
    ends = [*nodes.starts[1:], len(total)]
    return ScenePlan(
        exact=exact_tokens,
        order=tokens[order],
        count=count,
        smallest=smallest,
        place_shares=_shares(weight.view(-1, smallest)).flatten(),
        levels=[slice(start, end) for start, end in zip(nodes.starts, ends, strict=True)],
        left_shares=_left_shares(weight.view(-1, smallest).sum(1)),
        rows=rows.int().sort(1).values,  # ascending rows are gathered in half the time
        log_weight=log_total.clamp_min(LOG_ZERO),
    )


def smallest_size(count: int, keys: int) -> int:
    """Triangles of the smallest nodes: a power of two from 1 to 128. Finer nodes would hardly ever be keys."""
    return min(MAX_SMALLEST, 1 << max(0, (count // (NODES_PER_KEY * keys)).bit_length() - 1))


def _shares(weight: Tensor) -> Tensor:
    """[n, S] share of each weight in the sum of its row; equal shares where the sum is 0."""
    total = weight.sum(1, keepdim=True)
    return torch.where(total > 0, weight / total.clamp_min(torch.finfo(total.dtype).tiny), 1 / weight.shape[1])


def _left_shares(weight: Tensor) -> list[Tensor]:
    """The left child's share [n, 1] for the n nodes of each level above the smallest nodes, of these weights [n']."""
    sums = sums_over_nodes(weight[:, None])
    return [_shares(children.view(-1, 2))[:, :1] for children in sums[:-1]]


def _describe_nodes(points: Tensor, weight: Tensor, filled: Tensor, smallest: int) -> tuple[Nodes, Tensor]:
    """The nodes for `choose_nodes`, and the weight [M] of each. points [P, F]; weight, filled [P]."""
    axes = points.shape[1]
    columns = [filled[:, None], weight[:, None], weight[:, None] * points, weight[:, None] * points.square()]
    levels = sums_over_nodes(torch.cat(columns, 1).view(-1, smallest, 2 + 2 * axes).sum(1))
    number, total, first, second = torch.split(torch.cat(levels), [1, 1, axes, axes], 1)
    mean = first / total.clamp_min(EPSILON)
    variance = (second / total.clamp_min(EPSILON) - mean.square()).clamp_min(0)
    spread = total[:, 0] * (variance[:, :3].sum(1) + FEATURE_WEIGHT * variance[:, 3:].sum(1) + EPSILON)
    spread[number[:, 0] == 0] = -1
    spread[: len(levels[0])] = -1
    starts = [0]
    for level in levels[:-1]:
        starts.append(starts[-1] + len(level))
    return Nodes(starts, number[:, 0] > 0, mean[:, :3].contiguous(), spread), total[:, 0]


def _describe_blocks(points: Tensor, filled: Tensor) -> tuple[Tensor, Tensor]:
    """Centre [Q, 3] and root mean square radius [Q] of each block of queries, unweighted. points [P, F]; filled [P]."""
    position, filled = points[:, :3].view(-1, BLOCK, 3), filled.view(-1, BLOCK, 1)
    number = filled.sum(1)
    centre = (position * filled).sum(1) / number
    squared = ((position - centre[:, None]) * filled).square().sum((1, 2)) / number[:, 0]
    return centre, squared.sqrt()
