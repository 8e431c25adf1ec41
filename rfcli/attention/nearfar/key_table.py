"""The key table: mean key, variances, log weight and mean value of every node, for one layer and head.

For a cluster of keys k_j with weights w_j of sum W, mean k and variance S,

    sum_j w_j exp(q . k_j / sqrt(D)) ~ W exp(q . k / sqrt(D) + q^2 . S / (2 D))

to second order, and exactly for normally distributed keys; the value of the cluster is the mean of its values. So a row
of the table is [k, S, log W, mean of v]. From the smallest nodes up, nodes are merged in pairs: if a is the left one's
share of the weight, means become a left + (1 - a) right, and the variance gains a (1 - a) (left - right)^2 of the keys.

Variances are averaged over groups of channels, which is as accurate as one per channel and costs a sixth. RoPE rotates
pair c F + f of a head's channels by coordinate c = 0 .. 8 (three vertices of x, y, z) times frequency f, see
`rfcli.model.encodings`. One group holds the channels of one frequency and one axis, which the three vertices of a
triangle rotate alike; the last group holds the channels that are not rotated.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from rfcli.attention.nearfar.plan import ScenePlan

COORDINATES, AXES = 9, 3
PLACES_AT_ONCE = 4096  # bounds memory


def channel_groups(head_dim: int, frequencies: int) -> Tensor:
    """[D, G = 3 F + 1], 1 where a channel belongs to a group, else 0; channels i and i + D / 2 are a pair."""
    pair = torch.arange(head_dim // 2)
    coordinate, frequency = pair // max(frequencies, 1), pair % max(frequencies, 1)
    rotated = frequency * AXES + coordinate % AXES
    group = torch.where(pair < COORDINATES * frequencies, rotated, AXES * frequencies)
    return torch.nn.functional.one_hot(group, AXES * frequencies + 1).float().repeat(2, 1)


def key_table(k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor, out: Tensor | None = None) -> Tensor:
    """The table [M + E + 1, D + G + 1 + D]: the nodes, the exact tokens, and an empty row for unused slots.

    k, v [T, D] of one head; groups [D, G]. out: the result of an earlier call with this plan, to be overwritten.
    """
    dim, width = groups.shape
    table = k.new_zeros(len(plan.log_weight), dim + width + 1 + dim) if out is None else out
    for places in _chunks(plan):
        _pool(k, v, plan, groups, places, table[_nodes(places, plan)])
    for below, above, share in zip(plan.levels[:-1], plan.levels[1:], plan.left_shares, strict=True):
        merge_pairs(table[below], share, groups, table[above][: len(share)])
    _copy_tokens(k, v, plan.exact, table[plan.nodes : -1])
    table[:, dim + width] = plan.log_weight
    return table


def key_table_gradient(
    gradient: Tensor, table: Tensor, k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of k and v [T, D] from that of their table, which is overwritten."""
    dk, dv, dim = torch.zeros_like(k), torch.zeros_like(v), k.shape[1]
    levels = list(zip(plan.levels[:-1], plan.levels[1:], plan.left_shares, strict=True))
    for below, above, share in reversed(levels):
        gradient[below] += merge_pairs_gradient(gradient[above][: len(share)], table[below], share, groups)
    for places in _chunks(plan):
        filled = slice(0, max(0, plan.count - places.start))
        tokens = plan.order[places]
        dkeys, dvalues = _pool_gradient(gradient[_nodes(places, plan)], k.index_select(0, tokens), plan, groups, places)
        dk.index_add_(0, tokens[filled], dkeys[filled])
        dv.index_add_(0, tokens[filled], dvalues[filled])
    dk.index_add_(0, plan.exact, gradient[plan.nodes : -1, :dim])
    dv.index_add_(0, plan.exact, gradient[plan.nodes : -1, -dim:])
    return dk, dv


def merge_pairs(nodes: Tensor, share: Tensor, groups: Tensor, out: Tensor) -> None:
    """Merge nodes 2i and 2i + 1 of [2n, C] into row i of `out`. share [n, 1] of the left one; groups [D, G]."""
    dim, width = groups.shape
    share = share.to(nodes)
    left, right = nodes[0::2], nodes[1::2]
    torch.lerp(right, left, share, out=out)
    difference = left[:, :dim] - right[:, :dim]
    out[:, dim : dim + width] += (difference.square_() @ _group_means(groups)).mul_(share * (1 - share))


def merge_pairs_gradient(gradient: Tensor, nodes: Tensor, share: Tensor, groups: Tensor) -> Tensor:
    """The gradient [2n, C] of `nodes` from that of the merged nodes [n, C]."""
    dim, width = groups.shape
    share = share.to(nodes)
    result = torch.empty_like(nodes)
    left, right = result[0::2], result[1::2]
    torch.mul(gradient, share, out=left)
    torch.sub(gradient, left, out=right)
    difference = nodes[0::2, :dim] - nodes[1::2, :dim]
    by_variance = (gradient[:, dim : dim + width] @ _group_means(groups).T).mul_(difference)
    by_variance.mul_(2 * share * (1 - share))
    left[:, :dim] += by_variance
    right[:, :dim] -= by_variance
    return result


def _pool(k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor, places: slice, out: Tensor) -> None:
    """Pool some places into their smallest nodes, rows of `out`.

    Variances are differences of second moments: half as many passes over the keys as merging in pairs, and keys are
    small enough for its rounding errors.
    """
    tokens = plan.order[places]
    if plan.smallest == 1:
        _copy_tokens(k, v, tokens, out)
        return
    dim, width = groups.shape
    shares = plan.place_shares[places].to(k).view(-1, 1, plan.smallest)

    def mean(x: Tensor) -> Tensor:
        return torch.bmm(shares, x.view(-1, plan.smallest, dim))[:, 0]

    keys = k.index_select(0, tokens)
    out[:, :dim] = mean(keys)
    moment = mean(keys.square_()).addcmul_(out[:, :dim], out[:, :dim], value=-1)
    torch.mm(moment, _group_means(groups), out=out[:, dim : dim + width])
    out[:, -dim:] = mean(v.index_select(0, tokens))


def _pool_gradient(
    gradient: Tensor, keys: Tensor, plan: ScenePlan, groups: Tensor, places: slice
) -> tuple[Tensor, Tensor]:
    """Gradients of the keys [p, D] and values of some places from that of their smallest nodes."""
    dim, width = groups.shape
    shares = plan.place_shares[places].to(keys).view(-1, plan.smallest, 1)
    keys = keys.view(-1, plan.smallest, dim)
    deviation = keys - (shares * keys).sum(1, keepdim=True)
    by_variance = 2 * gradient[:, dim : dim + width] @ _group_means(groups).T
    dkeys = deviation.mul_(by_variance[:, None]).add_(gradient[:, None, :dim]).mul_(shares)
    return dkeys.flatten(0, 1), (shares * gradient[:, None, -dim:]).flatten(0, 1)


def _copy_tokens(k: Tensor, v: Tensor, tokens: Tensor, out: Tensor) -> None:
    """Rows of single tokens, whose variances stay zero. out [n, D + G + 1 + D]."""
    dim = k.shape[1]
    out[:, :dim] = k.index_select(0, tokens)
    out[:, -dim:] = v.index_select(0, tokens)


def _chunks(plan: ScenePlan) -> Iterator[slice]:
    """All places, in chunks."""
    for start in range(0, len(plan.order), PLACES_AT_ONCE):
        yield slice(start, min(start + PLACES_AT_ONCE, len(plan.order)))


def _nodes(places: slice, plan: ScenePlan) -> slice:
    """The smallest nodes of these places."""
    return slice(places.start // plan.smallest, places.stop // plan.smallest)


def _group_means(groups: Tensor) -> Tensor:
    """[D, G] matrix that averages over each group."""
    return groups / groups.sum(0).clamp_min(1)
