"""Keys that linear attention reads one by one: the registers and emitters of each scene.

A sum over features knows a key only as far as the features tell it from others. Few keys are worth more than that: a
light weighs as much as a wall, and whether it is seen decides a picture. Next to softmax's kernel written as a sum of
products of features,

    out_i = (sum_f phi_f(q_i) S_f + sum_e exp(q_i . k_e / sqrt(D)) w_e v_e) / (the same with 1 in place of v)

over the exact keys e, each of which is one feature more, of which no other key has anything; the S_f are sums over all
other keys. Cost O(N E D) time for E exact keys.

Learned features reach softmax's kernel only up to a factor e^b of each head, which is learned with them: it says how
much all other keys weigh beside the exact ones.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rfcli.attention.context import Context

SLOTS = 8  # a multiple of so many exact keys, some of them of no weight: products of such widths run faster
USUAL_BALANCE = 1.0  # b to begin with: of logits with a standard deviation of 1.4
STRIDE = 10.0  # of b, which has further to go than weights have at the same rate


@dataclass(frozen=True)
class ExactKeys:
    """k, v [B, H, E, D]; log_weight [B, E], -inf in slots that a scene leaves empty."""

    k: Tensor
    v: Tensor
    log_weight: Tensor


def set_apart(k: Tensor, v: Tensor, context: Context) -> tuple[ExactKeys | None, Tensor | None]:
    """The exact keys among k, v [B, H, N, D], None where there are none, and the log weights [B, N] of all keys without
    them: -inf is their place in the features' sums. With `context.group`, the exact keys of all processes.
    """
    bias = context.key_bias()
    exact = context.exact(k.shape[0], k.shape[2], k.device)
    most = exact.sum(1).amax()
    if context.group is not None:
        dist.all_reduce(most, dist.ReduceOp.MAX, context.group)
    if not (count := -(-int(most) // SLOTS) * SLOTS):
        return None, bias
    bias = torch.zeros_like(exact, dtype=torch.float32) if bias is None else bias.float()
    apart = torch.where(exact, bias, float("-inf"))
    index = torch.sort(exact.int(), dim=1, descending=True, stable=True).indices[:, :count]
    rows = index[:, None, :, None].expand(-1, k.shape[1], -1, k.shape[3])
    keys = ExactKeys(k.gather(2, rows), v.gather(2, rows), apart.gather(1, index))
    if context.group is not None:
        keys = _of_all_processes(keys, count, context.group)
    return keys, bias.masked_fill(exact, float("-inf"))


def _of_all_processes(keys: ExactKeys, count: int, group: Any) -> ExactKeys:
    """Those of every process, one after the other; `count` slots of each, which no process has more of."""
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
