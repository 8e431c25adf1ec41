"""Long sequences, some tokens at a time: what lies between input and result never exists for all of them at once."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Tokens at once: on a CPU so few that what lies between stays in its cache, elsewhere enough to keep it busy.
STRETCH_CPU, STRETCH_ELSEWHERE = 1024, 16384


def by_stretches(work: Callable[[slice], Sequence[Tensor]], x: Tensor) -> list[Tensor]:
    """What `work` makes of the whole of a sequence x [..., N, C], where each token's result is its own affair.

    work: makes tensors [..., n, C'] of the n tokens of a slice. With gradients all N are one slice, since what lies
    between is wanted again.
    """
    count = x.shape[-2]
    step = STRETCH_CPU if x.device.type == "cpu" else STRETCH_ELSEWHERE
    if torch.is_grad_enabled() or count <= step:
        return list(work(slice(0, count)))
    whole: list[Tensor] = []
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        made = work(part)
        if not whole:
            whole = [result.new_empty(*result.shape[:-2], count, result.shape[-1]) for result in made]
        for result, place in zip(made, whole, strict=True):
            place[..., part, :] = result
    return whole
