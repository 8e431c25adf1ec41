"""Properties of the tokens, given to an attention mechanism together with q, k and v."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Context:
    """Properties of B sequences of N tokens, made once per batch and shared by all layers.

    Attributes:
        key_mask: [B, N] bool, True = a real token, False = padding; None = all are real. Each row has a real token.
        registers: Number of register tokens: learned tokens in front of the triangle tokens.
        emitters: [B, N] bool, True = a triangle that emits light; None = unknown.
        summaries: [B, N] bool, True = a summary token, the mean of consecutive triangles; None = there are none.
        log_weight: [B, N] natural logarithm of the weight of each key in the sums of softmax; None = all weights are 1.
        features: [B, N, A] surface features, by which triangles may be clustered: position (3) in world units, then
            others such as normal and albedo, of which a difference of 1 is as large as a distance of half the extent
            of the scene; None = unknown.
        plan: The result of the mechanism's `plan(context)`; None = nothing.
        group: Processes (of torch.distributed) over which the sequence is distributed: the N tokens are those of one
            process, and the keys are those of all; None = one process. For mechanisms with `splits_over_processes`.
    """

    key_mask: Tensor | None = None
    registers: int = 0
    emitters: Tensor | None = None
    summaries: Tensor | None = None
    log_weight: Tensor | None = None
    features: Tensor | None = None
    plan: Any = None
    group: Any = None

    def key_bias(self) -> Tensor | None:
        """[B, N] bias of each key's logits: its log weight, -inf for padding; None = no bias."""
        if self.key_mask is None:
            return self.log_weight
        weight = torch.zeros_like(self.key_mask, dtype=torch.float32) if self.log_weight is None else self.log_weight
        return weight.masked_fill(~self.key_mask, float("-inf"))

    def exact_mask(self, batch: int, tokens: int, device: torch.device) -> Tensor:
        """[B, N] bool, the exact keys, which a mechanism should not approximate: real registers and emitters."""
        exact = torch.zeros(batch, tokens, dtype=torch.bool, device=device)
        if self.emitters is not None:
            exact |= self.emitters
        exact[:, : self.registers] = True
        return exact if self.key_mask is None else exact & self.key_mask

    def repeated(self, times: int) -> "Context":
        """The context of a batch in which each sequence is repeated `times` times; without features and plan."""
        if times == 1:
            return self

        def rows(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.repeat_interleave(times, 0)

        return Context(
            rows(self.key_mask), self.registers, rows(self.emitters), rows(self.summaries), rows(self.log_weight)
        )
