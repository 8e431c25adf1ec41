"""Linear attention: the softmax kernel approximated by products of positive features of q and of k.

    out_i = sum_f phi_f(q_i) S_f / sum_f phi_f(q_i) z_f,   S_f = sum_j phi_f(k_j) v_j,   z_f = sum_j phi_f(k_j)

Features are given as logarithms, since their values may differ by factors of e^100 and more. S and z are divided by
exp(l_f), the largest value of feature f over all keys, and l_f is added to the log features of the queries. The result
is the same, nothing overflows, and no epsilon is needed, which would exceed small features. Multiplying all features of
a query by the same factor does not change its output, since the factor cancels in the fraction.
Exact keys (`rfcli.attention.exact_keys`) are additional features with S = v, z = 1 and l = 0.

Time O(N m D) for m features; memory O(chunk m) besides q, k, v and out.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

CHUNK = 512  # tokens whose features are in memory at once: a few MB, and products large enough to run at full speed
ONES = 8  # equal columns of z next to S: products of D + 8 columns are 10 % faster than of D + 1
LOG2_E = math.log2(math.e)

# [B, H, n, D] -> [B, H, n, m]: logarithms of the m features of n tokens, in new memory that the caller may overwrite
LogFeatures = Callable[[Tensor], Tensor]


def attend_by_features(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    query_features: LogFeatures,
    key_features: LogFeatures,
    bias: Tensor | None,
    out: Tensor | None = None,
    group: Any = None,
    exact_values: Tensor | None = None,
) -> Tensor:
    """Linear attention.

    Args:
        q: Queries [B, H, Q, D].
        k: Keys [B, H, N, D].
        v: Values [B, H, N, D].
        query_features: The m log features of queries, followed by the logits of the E exact keys if there are any.
        key_features: The m log features of keys.
        bias: [B, N] log weights of the keys, -inf for padding and exact keys; None = all weights are 1.
        out: Memory for the result, used if gradients are disabled; may be `q`.
        group: Processes, each with its own q, k and v: queries attend to the keys of all. Without gradients. None = one
            process.
        exact_values: [B, H, E, D] values of the exact keys; None = there are none.

    Returns:
        [B, H, Q, D].
    """
    sums, largest = _sum_over_keys(k, v, key_features, bias)
    if group is not None:
        sums, largest = _sum_over_processes(sums, largest, group)
    if exact_values is not None:
        sums = torch.cat([sums, _with_ones(exact_values)], 2)
        largest = torch.nn.functional.pad(largest, (0, exact_values.shape[2]))
    return _attend_to_sums(q, sums, largest, query_features, out)


def _sum_over_keys(k: Tensor, v: Tensor, log_features: LogFeatures, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """S_f with z_f as last columns [B, H, m, D + 8], divided by exp(l_f), and l_f [B, H, m]."""
    sums, largest = None, None
    for start in range(0, k.shape[2], CHUNK):
        part = slice(start, start + CHUNK)
        exponent = log_features(k[:, :, part])
        if bias is not None:
            exponent = exponent.add_(bias[:, None, part, None])
        if sums is None or largest is None:
            largest = exponent.new_full((*exponent.shape[:2], exponent.shape[-1]), float("-inf"))
            sums = exponent.new_zeros(*largest.shape, v.shape[-1] + ONES)
        # The result does not depend on l_f, so l_f needs no gradient.
        updated = torch.maximum(largest, exponent.detach().amax(2))
        reference = updated.masked_fill(updated == float("-inf"), 0.0)  # only padding so far
        weights = _exp_(exponent.sub_(reference[:, :, None]))
        part_sums = weights.transpose(-1, -2) @ _with_ones(v[:, :, part])
        sums = torch.addcmul(part_sums, sums, torch.exp(largest - reference)[..., None])
        largest = updated
    assert sums is not None
    assert largest is not None
    return sums, largest


def _exp_(x: Tensor) -> Tensor:
    """exp(x) in the memory of x; on a CPU as 2^(x log2 e), which torch computes in half the time."""
    return x.mul_(LOG2_E).exp2_() if x.device.type == "cpu" else x.exp_()


def _with_ones(v: Tensor) -> Tensor:
    """[..., D] -> [..., D + 8], values followed by ones, whose weighted sum is z."""
    return torch.nn.functional.pad(v, (0, ONES), value=1.0)


def _sum_over_processes(sums: Tensor, largest: Tensor, group: Any) -> tuple[Tensor, Tensor]:
    """S_f, z_f and l_f over the keys of all processes.

    One reduction for the maxima and one for the sums: m (D + 9) numbers per head, for any number of keys.
    """
    common = largest.clone()
    dist.all_reduce(common, dist.ReduceOp.MAX, group)
    reference = common.masked_fill(common == float("-inf"), 0.0)
    sums = sums * torch.exp(largest - reference)[..., None]
    dist.all_reduce(sums, dist.ReduceOp.SUM, group)
    return sums, common


def _attend_to_sums(q: Tensor, sums: Tensor, largest: Tensor, log_features: LogFeatures, out: Tensor | None) -> Tensor:
    """The fraction for every query. q [B, H, Q, D] -> [B, H, Q, D]."""

    def fraction(part: Tensor) -> tuple[Tensor, Tensor]:
        exponent = log_features(part).add_(largest[:, :, None])
        exponent = exponent.sub_(exponent.detach().amax(-1, keepdim=True))
        weighted = _exp_(exponent) @ sums
        return weighted[..., :-ONES], weighted[..., -1:]

    parts = torch.split(q, CHUNK, 2)
    if torch.is_grad_enabled():
        return torch.cat([torch.div(*fraction(part)) for part in parts], 2)
    out = torch.empty_like(q, memory_format=torch.contiguous_format) if out is None else out
    for part, result in zip(parts, torch.split(out, CHUNK, 2), strict=True):
        torch.div(*fraction(part), out=result)
    return out
