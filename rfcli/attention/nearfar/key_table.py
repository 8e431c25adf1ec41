"""A layer's keys and values for every node of the tree.

Over a cluster with weights w_j, of total W, and with keys of mean k and variance S (per group of channels),

    sum_j w_j exp(q . k_j / sqrt(D)) ~ W exp(q . k / sqrt(D) + q^2 . S / (2 D))

to second order, exactly so for keys that are normally distributed. The exponent is one product of longer vectors,

    [q, sums of q^2 over the groups / (2 sqrt(D)), sqrt(D)] . [k, S, log W] / sqrt(D),

and what is read of the cluster is the mean of its values. Nodes are merged pair by pair: with a the left one's share of
the weight, means are a left + (1 - a) right, and the variance gains a (1 - a) (left - right)^2 of the keys.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from rfcli.attention.nearfar.plan import ScenePlan

PLACES_AT_ONCE = 4096  # bounds memory


def extend_queries(q: Tensor, groups: Tensor) -> Tensor:
    """[..., D] -> [..., D + G + 1], queries of the table's keys. groups [D, G]: 1 where a channel is a member."""
    root = q.shape[-1] ** 0.5
    return torch.cat([q, (q.square() @ groups) * (0.5 / root), q.new_full((*q.shape[:-1], 1), root)], -1)


def key_table(k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor, out: Tensor | None = None) -> Tensor:
    """[M + E + 1, D + G + 1 + D] mean key, variances, log weight, mean value of every node, then of exact tokens.

    k, v [T, D] of one head; groups [D, G]. out: the result of an earlier call with this plan, to be overwritten.
    """
    dim, width = groups.shape
    table = k.new_zeros(len(plan.log_weight), dim + width + 1 + dim) if out is None else out
    for places in _stretches(plan):
        _finest_levels(k, v, plan, groups, places, table[_in_nodes(places, plan.smallest)])
    for below, above, share in zip(plan.levels[:-1], plan.levels[1:], plan.shares[plan.finest :], strict=True):
        merge_pairs(table[below], share, groups, table[above][: len(share)])
    _place_single(k, v, plan.exact, table[plan.nodes : -1])
    table[:, dim + width] = plan.log_weight
    return table


def key_table_gradient(
    gradient: Tensor, table: Tensor, k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of k and v [T, D] from that of their table, which is changed on the way."""
    dk, dv, dim = torch.zeros_like(k), torch.zeros_like(v), k.shape[1]
    coarse = list(zip(plan.levels[:-1], plan.levels[1:], plan.shares[plan.finest :], strict=True))
    for below, above, share in reversed(coarse):
        gradient[below] += merge_pairs_gradient(gradient[above][: len(share)], table[below], share, groups)
    for places in _stretches(plan):
        spread = gradient[_in_nodes(places, plan.smallest)]
        finer = _finest_levels(k, v, plan, groups, places, torch.zeros_like(spread))
        for level in range(plan.finest - 1, -1, -1):
            spread = merge_pairs_gradient(spread, finer[level], _shares(plan, places, level), groups)
        filled = slice(0, max(0, plan.count - places.start))
        tokens = plan.order[places][filled]
        dk.index_add_(0, tokens, spread[filled, :dim])
        dv.index_add_(0, tokens, spread[filled, -dim:])
    dk.index_add_(0, plan.exact, gradient[plan.nodes : -1, :dim])
    dv.index_add_(0, plan.exact, gradient[plan.nodes : -1, -dim:])
    return dk, dv


def merge_pairs(nodes: Tensor, share: Tensor, groups: Tensor, out: Tensor) -> None:
    """Nodes 2i and 2i + 1 of [2n, C] become node i of `out`. share [n, 1] of the left one; groups [D, G]."""
    dim, width = groups.shape
    share = share.to(nodes)
    left, right = nodes[0::2], nodes[1::2]
    torch.lerp(right, left, share, out=out)
    gap = left[:, :dim] - right[:, :dim]
    out[:, dim : dim + width] += (gap.square_() @ _means(groups)).mul_(share * (1 - share))


def merge_pairs_gradient(gradient: Tensor, nodes: Tensor, share: Tensor, groups: Tensor) -> Tensor:
    """Gradient [2n, C] of `nodes`, of which the keys are read, from that of what they were merged into, [n, C]."""
    dim, width = groups.shape
    share = share.to(nodes)
    spread = gradient.new_empty(len(nodes), gradient.shape[1])
    left, right = spread[0::2], spread[1::2]
    torch.mul(gradient, share, out=left)
    torch.sub(gradient, left, out=right)
    gap = nodes[0::2, :dim] - nodes[1::2, :dim]
    through = (gradient[:, dim : dim + width] @ _means(groups).T).mul_(gap).mul_(2 * share * (1 - share))
    left[:, :dim] += through
    right[:, :dim] -= through
    return spread


def _finest_levels(
    k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor, places: slice, leaves: Tensor
) -> list[Tensor]:
    """Keys of a stretch of single triangles; then their pairs, fours, up to the table's smallest nodes, in `leaves`."""
    tokens = plan.order[places]
    if plan.finest == 0:
        _place_single(k, v, tokens, leaves)
        return [leaves]
    keys = k.index_select(0, tokens)
    levels = [leaves.new_empty(len(tokens) >> level, leaves.shape[1]) for level in range(1, plan.finest)] + [leaves]
    _merge_single(keys, v.index_select(0, tokens), _shares(plan, places, 0), groups, levels[0])
    for level, (below, above) in enumerate(pairwise(levels), 1):
        merge_pairs(below, _shares(plan, places, level), groups, above)
    return [keys, *levels]


def _merge_single(k: Tensor, v: Tensor, share: Tensor, groups: Tensor, out: Tensor) -> None:
    """As `merge_pairs`, of triangles, whose keys and values k, v [2n, D] have no variance."""
    dim, width = groups.shape
    share = share.to(k)
    torch.lerp(k[1::2], k[0::2], share, out=out[:, :dim])
    torch.lerp(v[1::2], v[0::2], share, out=out[:, -dim:])
    torch.mul((k[0::2] - k[1::2]).square_() @ _means(groups), share * (1 - share), out=out[:, dim : dim + width])
    out[:, dim + width] = 0


def _place_single(k: Tensor, v: Tensor, tokens: Tensor, out: Tensor) -> None:
    """Keys and values of triangles by themselves; their variances are left at zero. out [n, D + G + 1 + D]."""
    dim = k.shape[1]
    out[:, :dim] = k.index_select(0, tokens)
    out[:, -dim:] = v.index_select(0, tokens)


def _stretches(plan: ScenePlan) -> Iterator[slice]:
    """All places, some at a time."""
    for start in range(0, len(plan.order), PLACES_AT_ONCE):
        yield slice(start, min(start + PLACES_AT_ONCE, len(plan.order)))


def _shares(plan: ScenePlan, places: slice, level: int) -> Tensor:
    """Of the nodes of 2^(level + 1) places that a stretch of places fills."""
    return plan.shares[level][_in_nodes(places, 2 << level)]


def _in_nodes(places: slice, size: int) -> slice:
    """The same stretch, counted in nodes of `size` places."""
    return slice(places.start // size, places.stop // size)


def _means(groups: Tensor) -> Tensor:
    """[D, G] that takes the mean over each group."""
    return groups / groups.sum(0).clamp_min(1)
