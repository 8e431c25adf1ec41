"""Linear attention: softmax's kernel as a sum of products of positive features of q and of k.

    out_i = sum_f phi_f(q_i) S_f / sum_f phi_f(q_i) z_f,   S_f = sum_j phi_f(k_j) v_j,   z_f = sum_j phi_f(k_j)

Features are given as their logarithms, since they may span hundreds of powers of e. S and z are kept relative to M_f,
the largest exponent of feature f over the keys, and M_f is added back to the exponent of the queries. This is exact: no
epsilon drowns small features, and nothing overflows. Every factor of one query cancels in the fraction. Keys that are
read one by one (`rfcli.attention.exact_keys`) are features more, with S = v, z = 1 and M = 0.

Cost O(N m D) time; O(chunk m) memory beyond q, k, v and out.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

CHUNK = 512  # tokens whose features exist at once: a few MB, and products large enough to run at full speed
COUNTS = 8  # equal columns of z beside S: products of a multiple of 8 columns run a tenth faster than of one more
LOG2_E = math.log2(math.e)

# [B, H, n, D] -> [B, H, n, m], logarithms of the m features of each token, in memory that is free to be written over
Exponents = Callable[[Tensor], Tensor]


def attend_by_features(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    of_queries: Exponents,
    of_keys: Exponents,
    bias: Tensor | None,
    out: Tensor | None = None,
    group: Any = None,
    exact: Tensor | None = None,
) -> Tensor:
    """Q [B, H, M, D], k, v [B, H, N, D]; bias [B, N] log weights of the keys, -inf = padding -> [B, H, M, D].

    out: where the result is put if no gradients are wanted; may be q. group: the processes whose keys are summed over,
    each of which has its own q, k and v; without gradients. exact: values [B, H, E, D] of keys that are a feature each;
    `of_queries` gives the exponents of these behind those of the m.
    """
    summary, largest = _summarise_keys(k, v, of_keys, bias)
    if group is not None:
        summary, largest = _of_all_processes(summary, largest, group)
    if exact is not None:
        summary = torch.cat([summary, _counted(exact)], 2)
        largest = torch.nn.functional.pad(largest, (0, exact.shape[2]))
    return _read_summary(q, summary, largest, of_queries, out)


def _summarise_keys(k: Tensor, v: Tensor, exponents: Exponents, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """S_f with z_f as last columns [B, H, m, D + 8], relative to exp(M_f), and M_f [B, H, m]."""
    summary, largest = None, None
    for start in range(0, k.shape[2], CHUNK):
        part = slice(start, start + CHUNK)
        exponent = exponents(k[:, :, part])
        if bias is not None:
            exponent = exponent.add_(bias[:, None, part, None])
        if summary is None or largest is None:
            largest = exponent.new_full((*exponent.shape[:2], exponent.shape[-1]), float("-inf"))
            summary = exponent.new_zeros(*largest.shape, v.shape[-1] + COUNTS)
        # The maximum only chooses units: the result does not depend on it, so no gradient flows through it.
        updated = torch.maximum(largest, exponent.detach().amax(2))
        reference = updated.masked_fill(updated == float("-inf"), 0.0)  # so far nothing but padding
        weights = _exp_(exponent.sub_(reference[:, :, None]))
        part_summary = weights.transpose(-1, -2) @ _counted(v[:, :, part])
        summary = torch.addcmul(part_summary, summary, torch.exp(largest - reference)[..., None])
        largest = updated
    assert summary is not None
    assert largest is not None
    return summary, largest


def _exp_(x: Tensor) -> Tensor:
    """exp(x) in x's memory; on a CPU by way of 2^x, which torch has in half the time."""
    return x.mul_(LOG2_E).exp2_() if x.device.type == "cpu" else x.exp_()


def _counted(v: Tensor) -> Tensor:
    """[..., D] -> [..., D + 8], values and ones to count them by."""
    return torch.nn.functional.pad(v, (0, COUNTS), value=1.0)


def _of_all_processes(summary: Tensor, largest: Tensor, group: Any) -> tuple[Tensor, Tensor]:
    """The summary of the keys of all processes, and M_f among them: one reduction for the units, one for the sums, of
    m (D + 9) numbers a head, however many keys there are.
    """
    common = largest.clone()
    dist.all_reduce(common, dist.ReduceOp.MAX, group)
    reference = common.masked_fill(common == float("-inf"), 0.0)
    summary = summary * torch.exp(largest - reference)[..., None]
    dist.all_reduce(summary, dist.ReduceOp.SUM, group)
    return summary, common


def _read_summary(q: Tensor, summary: Tensor, largest: Tensor, exponents: Exponents, out: Tensor | None) -> Tensor:
    """What each query reads. q [B, H, M, D] -> [B, H, M, D]."""

    def read(part: Tensor) -> tuple[Tensor, Tensor]:
        exponent = exponents(part).add_(largest[:, :, None])
        exponent = exponent.sub_(exponent.detach().amax(-1, keepdim=True))
        sums = _exp_(exponent) @ summary
        return sums[..., :-COUNTS], sums[..., -1:]

    parts = torch.split(q, CHUNK, 2)
    if torch.is_grad_enabled():
        return torch.cat([torch.div(*read(part)) for part in parts], 2)
    out = torch.empty_like(q, memory_format=torch.contiguous_format) if out is None else out
    for part, place in zip(parts, torch.split(out, CHUNK, 2), strict=True):
        torch.div(*read(part), out=place)
    return out
