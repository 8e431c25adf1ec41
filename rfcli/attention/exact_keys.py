"""Exact keys of linear attention: registers and emitters, whose softmax kernel is not approximated.

Keys with similar features get similar weights. This is too coarse for a few important keys: an emitter is one key among
thousands, and its visibility decides whether a point is lit. So the output is

    out_i = (sum_f phi_f(q_i) S_f + sum_e exp(q_i . k_e / sqrt(D)) w_e v_e) / (the same with v = 1)

with exact keys e of weight w_e, and sums S_f over all other keys. An exact key is computed as an additional feature,
which is zero for all other keys. Time O(N E D) for E exact keys. The plan of a layer pools the emitters of scenes that
have very many (`rfcli.attention.emitter_clusters`); without a plan all of them are exact.

Learned features approximate the softmax kernel up to a factor e^b per head. The balance b of a head is learned; it sets
the weight of all other keys relative to the exact ones.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rfcli.attention.context import Context
from rfcli.attention.emitter_clusters import SceneKeys, exact_keys

KEY_MULTIPLE = 8  # exact keys are padded to a multiple of this number; matrix products of such widths are faster
INITIAL_BALANCE = 1.0  # b before training: correct for normally distributed logits of standard deviation 1.4
BALANCE_RATE = 10.0  # factor of the parameter: b changes faster than other weights at the same learning rate


@dataclass(frozen=True)
class ExactKeys:
    """E exact keys per scene: k, v [B, H, E, D]; log_weight [B, E], -inf for padding."""

    k: Tensor
    v: Tensor
    log_weight: Tensor


def head_balance(parameter: Tensor) -> Tensor:
    """The balance b [H, 1, 1] of each head, from the learned parameter [H], which starts at 0."""
    return (INITIAL_BALANCE + BALANCE_RATE * parameter)[:, None, None]


def plan_exact_keys(context: Context) -> tuple[SceneKeys, ...] | None:
    """The plan of linear mechanisms: the exact keys of every scene; None if no scene has clusters of emitters."""
    if context.features is None or context.emitters is None:
        return None
    scenes = exact_keys(context)
    return scenes if any(scene.clustered for scene in scenes) else None


def split_exact_keys(k: Tensor, v: Tensor, context: Context) -> tuple[ExactKeys | None, Tensor | None]:
    """Separate the exact keys from k, v [B, H, N, D].

    Returns two values: the exact keys of all processes of `context.group`, None if there are none; and the log weights
    [B, N] for the sums over features, -inf for padding and exact keys, None if all weights are 1.
    """
    bias = context.key_bias()
    exact = context.exact_mask(k.shape[0], k.shape[2], k.device)
    if context.plan is not None:
        bias = torch.zeros_like(exact, dtype=torch.float32) if bias is None else bias.float()
        return _planned_keys(k, v, context.plan), bias.masked_fill(exact, float("-inf"))
    largest = exact.sum(1).amax()
    if context.group is not None:
        dist.all_reduce(largest, dist.ReduceOp.MAX, context.group)
    if not (count := -(-int(largest) // KEY_MULTIPLE) * KEY_MULTIPLE):
        return None, bias
    bias = torch.zeros_like(exact, dtype=torch.float32) if bias is None else bias.float()
    exact_bias = torch.where(exact, bias, float("-inf"))
    index = torch.sort(exact.int(), dim=1, descending=True, stable=True).indices[:, :count]
    rows = index[:, None, :, None].expand(-1, k.shape[1], -1, k.shape[3])
    keys = ExactKeys(k.gather(2, rows), v.gather(2, rows), exact_bias.gather(1, index))
    if context.group is not None:
        keys = _gather_from_processes(keys, count, context.group)
    return keys, bias.masked_fill(exact, float("-inf"))


def _planned_keys(k: Tensor, v: Tensor, plan: tuple[SceneKeys, ...]) -> ExactKeys:
    """The exact keys of a plan, padded to the largest number of all scenes."""
    largest = max(len(scene.log_weight) for scene in plan)
    count = -(-largest // KEY_MULTIPLE) * KEY_MULTIPLE

    def padded(parts: list[Tensor], axis: int, value: float) -> Tensor:
        missing = [count - part.shape[axis] for part in parts]
        pads = [(0, n) if axis == -1 else (0, 0, 0, n) for n in missing]
        return torch.stack([torch.nn.functional.pad(*x, value=value) for x in zip(parts, pads, strict=True)])

    keys, values = (padded([scene.pool(x) for scene, x in zip(plan, y, strict=True)], -2, 0.0) for y in (k, v))
    return ExactKeys(keys, values, padded([scene.log_weight for scene in plan], -1, float("-inf")))


def _gather_from_processes(keys: ExactKeys, count: int, group: Any) -> ExactKeys:
    """The exact keys of all processes. Each sends `count` of them, the maximum over processes, with padding."""
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
