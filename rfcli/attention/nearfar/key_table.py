"""A layer's keys and values for every node of the tree.

Over a cluster with weights w_j, of total W, and with keys of mean k and variance S (per group of channels),

    sum_j w_j exp(q . k_j / sqrt(D)) ~ W exp(q . k / sqrt(D) + q^2 . S / (2 D))

to second order, exactly so for keys that are normally distributed. The exponent is one product of longer vectors,

    [q, sums of q^2 over the groups / (2 sqrt(D))] . [k, S] / sqrt(D),

and what is read of the cluster is the mean of its values.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from rfcli.attention.nearfar.plan import TINY, ScenePlan
from rfcli.attention.nearfar.tree import sums_over_nodes

PLACES_AT_ONCE = 8192  # bounds memory


def extend_queries(q: Tensor, groups: Tensor) -> Tensor:
    """[..., D] -> [..., D + G], queries of the table's keys. groups [D, G]: channel membership."""
    return torch.cat([q, (q.square() @ groups) * (0.5 * q.shape[-1] ** -0.5)], -1)


def key_table(k: Tensor, v: Tensor, plan: ScenePlan, groups: Tensor) -> Tensor:
    """[M + E, D + G + D] keys with their variances, then values, of the nodes and of the exact tokens.

    k, v [T, D] of one head; groups [D, G]. Differentiable.
    """
    dim, width = groups.shape
    sharing = groups / groups.sum(0).clamp_min(1)
    leaves = [_leaf_sums(k, v, plan, sharing, start) for start in range(0, len(plan.order), PLACES_AT_ONCE)]
    sums = torch.cat(sums_over_nodes(torch.cat(leaves)))
    means = sums / plan.total.to(sums).clamp_min(TINY)[:, None]
    mean, second, value = torch.split(means, [dim, width, dim], 1)
    variance = (second - mean.square() @ sharing).clamp_min(0) * plan.several[:, None]
    key = torch.cat([mean, k[plan.exact]])
    variance = F.pad(variance, (0, 0, 0, len(plan.exact)))
    return torch.cat([key, variance, torch.cat([value, v[plan.exact]])], 1)


def _leaf_sums(k: Tensor, v: Tensor, plan: ScenePlan, sharing: Tensor, start: int) -> Tensor:
    """Weighted sums of k, of k^2 by group and of v over the smallest nodes of a stretch of places."""
    places = slice(start, start + PLACES_AT_ONCE)
    tokens = plan.order[places]
    keys = k[tokens]
    columns = torch.cat([keys, keys.square() @ sharing, v[tokens]], 1) * plan.weight[places, None].to(k)
    return columns.view(-1, plan.smallest, columns.shape[1]).sum(1)
