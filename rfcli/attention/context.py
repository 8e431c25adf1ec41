"""Properties of the tokens, given to an attention mechanism together with q, k and v."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Context:
    """Properties of B sequences of N tokens, made once per batch and shared by all layers.

    Attributes:
        key_mask: [B, N] bool, True = a real token, False = padding; None = all are real. In a row
            without a real token the output of attention is zero.
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

    @cached_property
    def empty_rows(self) -> Tensor | None:
        """[B] bool, True = all keys of the row are masked; None = there is no such row."""
        if self.key_mask is None or self.group is not None:  # keys of other processes are not known here
            return None
        empty = ~self.key_mask.any(1)
        return empty if bool(empty.any()) else None

    def key_bias(self) -> Tensor | None:
        """[B, N] bias of each key's logits: its log weight, -inf for padding; None = no bias.

        In empty rows it is the log weight of all keys, since softmax without any key would be 0 / 0, also in gradients;
        `zero_empty_rows` removes the result.
        """
        if self.key_mask is None:
            return self.log_weight
        weight = torch.zeros_like(self.key_mask, dtype=torch.float32) if self.log_weight is None else self.log_weight
        masked = ~self.key_mask if self.empty_rows is None else ~self.key_mask & ~self.empty_rows[:, None]
        return weight.masked_fill(masked, float("-inf"))

    def zero_empty_rows(self, out: Tensor) -> Tensor:
        """The output of attention [B, H, N, D], with zeros where all keys are masked."""
        return out if self.empty_rows is None else out.masked_fill(self.empty_rows[:, None, None, None], 0.0)

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
