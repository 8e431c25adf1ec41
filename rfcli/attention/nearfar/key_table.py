"""A layer's keys and values for every node of the tree.

Over a cluster with weights w_j, of total W, and with keys of mean k and variance S (per group of channels),

    sum_j w_j exp(q . k_j / sqrt(D)) ~ W exp(q . k / sqrt(D) + q^2 . S / (2 D))

to second order, exactly so for keys that are normally distributed; and what is read of the cluster is the mean of its
values. So a row of the table is [k, S, log W, mean of v]. Above the smallest, nodes are merged pair by pair: with a the
left one's share of the weight, means are a left + (1 - a) right, and the variance gains a (1 - a) (left - right)^2 of
the keys.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from rfcli.attention.nearfar.plan import ScenePlan

PLACES_AT_ONCE = 4096  # bounds memory


def key_table(k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor, out: Tensor | None = None) -> Tensor:
    """[M + E + 1, D + G + 1 + D] mean key, variances, log weight, mean value of every node, then of exact tokens.

    k, v [T, D] of one head; groups [D, G]. out: the result of an earlier call with this plan, to be overwritten.
    """
    dim, width = groups.shape
    table = k.new_zeros(len(plan.log_weight), dim + width + 1 + dim) if out is None else out
    for places in _stretches(plan):
        _pool(k, v, plan, groups, places, table[_nodes(places, plan)])
    for below, above, share in zip(plan.levels[:-1], plan.levels[1:], plan.shares, strict=True):
        merge_pairs(table[below], share, groups, table[above][: len(share)])
    _place_single(k, v, plan.exact, table[plan.nodes : -1])
    table[:, dim + width] = plan.log_weight
    return table


def key_table_gradient(
    gradient: Tensor, table: Tensor, k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of k and v [T, D] from that of their table, which is changed on the way."""
    dk, dv, dim = torch.zeros_like(k), torch.zeros_like(v), k.shape[1]
    levels = list(zip(plan.levels[:-1], plan.levels[1:], plan.shares, strict=True))
    for below, above, share in reversed(levels):
        gradient[below] += merge_pairs_gradient(gradient[above][: len(share)], table[below], share, groups)
    for places in _stretches(plan):
        filled = slice(0, max(0, plan.count - places.start))
        tokens = plan.order[places]
        dkeys, dvalues = _pool_gradient(gradient[_nodes(places, plan)], k.index_select(0, tokens), plan, groups, places)
        dk.index_add_(0, tokens[filled], dkeys[filled])
        dv.index_add_(0, tokens[filled], dvalues[filled])
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
    """Gradient [2n, C] of `nodes` from that of what they were merged into, [n, C]."""
    dim, width = groups.shape
    share = share.to(nodes)
    spread = torch.empty_like(nodes)
    left, right = spread[0::2], spread[1::2]
    torch.mul(gradient, share, out=left)
    torch.sub(gradient, left, out=right)
    gap = nodes[0::2, :dim] - nodes[1::2, :dim]
    through = (gradient[:, dim : dim + width] @ _means(groups).T).mul_(gap).mul_(2 * share * (1 - share))
    left[:, :dim] += through
    right[:, :dim] -= through
    return spread


def _pool(k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor, places: slice, out: Tensor) -> None:
    """A stretch of places, pooled into the smallest nodes, `out`. Variances are those of second moments: half as many
    passes over the keys as by pairs, and keys are near enough to 0 for that.
    """
    tokens = plan.order[places]
    if plan.smallest == 1:
        _place_single(k, v, tokens, out)
        return
    dim, width = groups.shape
    within = plan.within[places].to(k).view(-1, 1, plan.smallest)

    def mean(x: Tensor) -> Tensor:
        return torch.bmm(within, x.view(-1, plan.smallest, dim))[:, 0]

    keys = k.index_select(0, tokens)
    out[:, :dim] = mean(keys)
    moment = mean(keys.square_()).addcmul_(out[:, :dim], out[:, :dim], value=-1)
    torch.mm(moment, _means(groups), out=out[:, dim : dim + width])
    out[:, -dim:] = mean(v.index_select(0, tokens))


def _pool_gradient(
    gradient: Tensor, keys: Tensor, plan: ScenePlan, groups: Tensor, places: slice
) -> tuple[Tensor, Tensor]:
    """Gradients of the keys [p, D] and values of a stretch of places from that of the nodes they were pooled into."""
    dim, width = groups.shape
    within = plan.within[places].to(keys).view(-1, plan.smallest, 1)
    keys = keys.view(-1, plan.smallest, dim)
    from_mean = keys - (within * keys).sum(1, keepdim=True)
    through = 2 * gradient[:, dim : dim + width] @ _means(groups).T
    dkeys = from_mean.mul_(through[:, None]).add_(gradient[:, None, :dim]).mul_(within)
    return dkeys.flatten(0, 1), (within * gradient[:, None, -dim:]).flatten(0, 1)


def _place_single(k: Tensor, v: Tensor, tokens: Tensor, out: Tensor) -> None:
    """Keys and values of triangles by themselves; their variances are left at zero. out [n, D + G + 1 + D]."""
    dim = k.shape[1]
    out[:, :dim] = k.index_select(0, tokens)
    out[:, -dim:] = v.index_select(0, tokens)


def _stretches(plan: ScenePlan) -> Iterator[slice]:
    """All places, some at a time."""
    for start in range(0, len(plan.order), PLACES_AT_ONCE):
        yield slice(start, min(start + PLACES_AT_ONCE, len(plan.order)))


def _nodes(places: slice, plan: ScenePlan) -> slice:
    """The smallest nodes that these places fill."""
    return slice(places.start // plan.smallest, places.stop // plan.smallest)


def _means(groups: Tensor) -> Tensor:
    """[D, G] that takes the mean over each group."""
    return groups / groups.sum(0).clamp_min(1)
