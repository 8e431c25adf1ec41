"""The key table: mean key, variances, log weight and mean value of every node, for one layer and head.

For a cluster of keys k_j of weights w_j, let w be the sum of the weights, and k and var the weighted mean and the
variances of the keys. Then

    sum_j w_j exp(q . k_j / sqrt(D)) ~ w exp(q . k / sqrt(D) + q^2 . var / (2 D))

to second order, and exactly for normally distributed keys. The value of the cluster is the weighted mean of its values.
So a row of the table is [k, var, log w, mean of v]: C = D + G + 1 + D columns.

Leaves are pooled from their triangles; then nodes are merged in pairs up to the root. If a is the left child's share of
the weight, a mean becomes a left + (1 - a) right, and the variances gain a (1 - a) (left - right)^2, with left and
right the mean keys.

Variances are averaged over G groups of channels, which is as accurate as one per channel and takes a sixth of the time.
RoPE rotates pair c F + f of a head's channels by coordinate c (x, y, z of one position or of three vertices) times
frequency f of F, see `rfcli.model.encodings`. A group holds the channels of one frequency and one axis, which the three
vertices of a triangle rotate alike. The last group holds the channels that are not rotated.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from rfcli.attention.nearfar.plan import ScenePlan

AXES = 3  # x, y, z
SLOTS_AT_ONCE = 4096  # bounds memory


def channel_groups(head_dim: int, frequencies: int, coordinates: int) -> Tensor:
    """[D, G], 1 where a channel belongs to a group, else 0; G = 3 F + 1. Channels i and i + D / 2 are a pair."""
    pair = torch.arange(head_dim // 2)
    coordinate, frequency = pair // max(frequencies, 1), pair % max(frequencies, 1)
    rotated = frequency * AXES + coordinate % AXES
    group = torch.where(pair < coordinates * frequencies, rotated, AXES * frequencies)
    return torch.nn.functional.one_hot(group, AXES * frequencies + 1).float().repeat(2, 1)


def key_table(k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor, out: Tensor | None = None) -> Tensor:
    """The table [M + E + 1, C]: the nodes, the exact keys, and an empty row for padding.

    k, v [N, D] of one head; groups [D, G]. out: the table of another head with the same plan, which is overwritten.
    """
    dim, width = groups.shape
    table = k.new_zeros(len(plan.log_weight), dim + width + 1 + dim) if out is None else out
    for slots in _chunks(plan):
        _pool(k, v, plan, groups, slots, table[_leaves(slots, plan)])
    for below, above, share in zip(plan.levels[:-1], plan.levels[1:], plan.left_shares, strict=True):
        merge_pairs(table[below], share, groups, table[above][: len(share)])
    table[plan.nodes : -1, :dim], table[plan.nodes : -1, -dim:] = plan.exact.pool(k), plan.exact.pool(v)
    table[:, dim + width] = plan.log_weight
    return table


def key_table_gradient(
    gradient: Tensor, table: Tensor, k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of k and v [N, D] from the gradient of their table. `gradient` is modified in place."""
    dk, dv, dim = torch.zeros_like(k), torch.zeros_like(v), k.shape[1]
    levels = list(zip(plan.levels[:-1], plan.levels[1:], plan.left_shares, strict=True))
    for below, above, share in reversed(levels):
        gradient[below] += merge_pairs_gradient(gradient[above][: len(share)], table[below], share, groups)
    for slots in _chunks(plan):
        filled = slice(0, max(0, plan.count - slots.start))
        tokens = plan.order[slots]
        dkeys, dvalues = _pool_gradient(gradient[_leaves(slots, plan)], k.index_select(0, tokens), plan, groups, slots)
        dk.index_add_(0, tokens[filled], dkeys[filled])
        dv.index_add_(0, tokens[filled], dvalues[filled])
    exact = gradient[plan.nodes : -1].index_select(0, plan.exact.key) * plan.exact.share.to(gradient)[:, None]
    dk.index_add_(0, plan.exact.tokens, exact[:, :dim])
    dv.index_add_(0, plan.exact.tokens, exact[:, -dim:])
    return dk, dv


def merge_pairs(nodes: Tensor, share: Tensor, groups: Tensor, out: Tensor) -> None:
    """Merge rows 2i and 2i + 1 of nodes [2n, C] into row i of out [n, C]. share [n, 1] of the left one."""
    dim, width = groups.shape
    share = share.to(nodes)
    left, right = nodes[0::2], nodes[1::2]
    torch.lerp(right, left, share, out=out)
    difference = left[:, :dim] - right[:, :dim]
    out[:, dim : dim + width] += (difference.square_() @ _group_means(groups)).mul_(share * (1 - share))


def merge_pairs_gradient(gradient: Tensor, nodes: Tensor, share: Tensor, groups: Tensor) -> Tensor:
    """The gradient [2n, C] of `nodes` from the gradient [n, C] of the merged nodes."""
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


def _pool(k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor, slots: slice, out: Tensor) -> None:
    """Pool the triangles of some slots into their leaves, the rows of out [n, C].

    A variance is the mean square minus the squared mean. This takes half as many passes over the keys as merging in
    pairs; its rounding errors are negligible, since keys are normalised.
    """
    tokens = plan.order[slots]
    if plan.leaf_size == 1:
        _copy_tokens(k, v, tokens, out)
        return
    dim, width = groups.shape
    shares = plan.slot_shares[slots].to(k).view(-1, 1, plan.leaf_size)

    def mean(x: Tensor) -> Tensor:
        return torch.bmm(shares, x.view(-1, plan.leaf_size, dim))[:, 0]

    keys = k.index_select(0, tokens)
    out[:, :dim] = mean(keys)
    moment = mean(keys.square_()).addcmul_(out[:, :dim], out[:, :dim], value=-1)
    torch.mm(moment, _group_means(groups), out=out[:, dim : dim + width])
    out[:, -dim:] = mean(v.index_select(0, tokens))


def _pool_gradient(
    gradient: Tensor, keys: Tensor, plan: ScenePlan, groups: Tensor, slots: slice
) -> tuple[Tensor, Tensor]:
    """Gradients of the keys and values [n, D] of n slots from the gradient of their leaves."""
    dim, width = groups.shape
    shares = plan.slot_shares[slots].to(keys).view(-1, plan.leaf_size, 1)
    keys = keys.view(-1, plan.leaf_size, dim)
    deviation = keys - (shares * keys).sum(1, keepdim=True)
    by_variance = 2 * gradient[:, dim : dim + width] @ _group_means(groups).T
    dkeys = deviation.mul_(by_variance[:, None]).add_(gradient[:, None, :dim]).mul_(shares)
    return dkeys.flatten(0, 1), (shares * gradient[:, None, -dim:]).flatten(0, 1)


def _copy_tokens(k: Tensor, v: Tensor, tokens: Tensor, out: Tensor) -> None:
    """Write keys and values of single tokens into out [n, C]; their variances stay zero."""
    dim = k.shape[1]
    out[:, :dim] = k.index_select(0, tokens)
    out[:, -dim:] = v.index_select(0, tokens)


def _chunks(plan: ScenePlan) -> Iterator[slice]:
    """All slots, in chunks."""
    for start in range(0, len(plan.order), SLOTS_AT_ONCE):
        yield slice(start, min(start + SLOTS_AT_ONCE, len(plan.order)))


def _leaves(slots: slice, plan: ScenePlan) -> slice:
    """The leaves of these slots."""
    return slice(slots.start // plan.leaf_size, slots.stop // plan.leaf_size)


def _group_means(groups: Tensor) -> Tensor:
    """[D, G] matrix that averages over each group."""
    return groups / groups.sum(0).clamp_min(1)
