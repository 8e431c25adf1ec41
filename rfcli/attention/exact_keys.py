"""Exact keys of linear attention: registers and emitters, whose softmax kernel is not approximated.

A kernel of features distinguishes keys only as far as the features do. That is too little for the few keys that matter
most: a light is one key among thousands, and whether a point receives its light decides the image. So the kernel is

    out_i = (sum_f phi_f(q_i) S_f + sum_e exp(q_i . k_e / sqrt(D)) w_e v_e) / (the same with 1 in place of v)

with exact keys e of weight w_e. Each is one more feature, which no other key has; the sums S_f are over all other keys.
Cost O(N E D) time for E exact keys.

Learned features approximate the softmax kernel up to a factor e^b per head, which is learned too: the weight of all
other keys relative to the exact ones.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rfcli.attention.context import Context

SLOT_MULTIPLE = 8  # exact keys are padded to a multiple of this number: products of such widths are faster
INITIAL_LOG_SCALE = 1.0  # b before training: right for logits with a standard deviation of 1.4
LOG_SCALE_RATE = 10.0  # b changes by more than weights do at the same learning rate


@dataclass(frozen=True)
class ExactKeys:
    """E exact keys per scene: k, v [B, H, E, D]; log_weight [B, E], -inf in slots that a scene leaves empty."""

    k: Tensor
    v: Tensor
    log_weight: Tensor


def log_scale(balance: Tensor) -> Tensor:
    """[H, 1, 1] the log scale b of each head, from the learned parameter `balance` [H]."""
    return (INITIAL_LOG_SCALE + LOG_SCALE_RATE * balance)[:, None, None]


def split_exact_keys(k: Tensor, v: Tensor, context: Context) -> tuple[ExactKeys | None, Tensor | None]:
    """Separate the exact keys from k, v [B, H, N, D].

    Returns them (of all processes of `context.group`), None if there are none, and the log weights [B, N] of all keys
    for the sums over features: -inf for padding and exact keys; None = all weigh 1.
    """
    bias = context.key_bias()
    exact = context.exact_mask(k.shape[0], k.shape[2], k.device)
    largest = exact.sum(1).amax()
    if context.group is not None:
        dist.all_reduce(largest, dist.ReduceOp.MAX, context.group)
    if not (count := -(-int(largest) // SLOT_MULTIPLE) * SLOT_MULTIPLE):
        return None, bias
    bias = torch.zeros_like(exact, dtype=torch.float32) if bias is None else bias.float()
    exact_bias = torch.where(exact, bias, float("-inf"))
    index = torch.sort(exact.int(), dim=1, descending=True, stable=True).indices[:, :count]
    rows = index[:, None, :, None].expand(-1, k.shape[1], -1, k.shape[3])
    keys = ExactKeys(k.gather(2, rows), v.gather(2, rows), exact_bias.gather(1, index))
    if context.group is not None:
        keys = _gather_from_processes(keys, count, context.group)
    return keys, bias.masked_fill(exact, float("-inf"))


def _gather_from_processes(keys: ExactKeys, count: int, group: Any) -> ExactKeys:
    """The exact keys of all processes; each sends `count` slots, the maximum over processes."""
    missing = count - keys.k.shape[2]
    pad = torch.nn.functional.pad
    own = (
        pad(keys.k, (0, 0, 0, missing)),
        pad(keys.v, (0, 0, 0, missing)),
        pad(keys.log_weight, (0, missing), value=float("-inf")),
    )
    gathered = []
    for axis, part in zip((2, 2, 1), own, strict=True):
        received = [torch.empty_like(part) for _ in range(dist.get_world_size(group))]
        dist.all_gather(received, part.contiguous(), group)
        gathered.append(torch.cat(received, axis))
    return ExactKeys(*gathered)
