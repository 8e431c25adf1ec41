"""What an attention mechanism may know of the sequence besides q, k and v."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Context:
    """Made once per scene batch and shared by all layers. B batch, N tokens (registers in front, then triangles).

    key_mask   [B, N] bool, True = a real token; None where every token is real. Each row has at least one.
    registers  number of register tokens in front.
    emitters   [B, N] bool, True = a triangle that emits light; None where not known.
    log_weight [B, N] float, natural log of the weight of each key in the softmax's sums; None = all weigh 1.
    features   [B, N, F] float, place in the scene and then what else makes two triangles alike, scaled so that a
               difference of 1 counts as much as half the scene's extent; None where no mechanism asks for it.
    plan       whatever the mechanism's own `plan(context)` has made of all this, for layers to share; None without.
    group      the processes (of torch.distributed) over which the sequence is spread: these are the tokens of one of
               them, and the keys are those of all; None = every token is here. For mechanisms with `sums_over_keys`.
    """

    key_mask: Tensor | None = None
    registers: int = 0
    emitters: Tensor | None = None
    log_weight: Tensor | None = None
    features: Tensor | None = None
    plan: Any = None
    group: Any = None

    def key_bias(self) -> Tensor | None:
        """[B, N] what is added to every logit of a key: its log weight, -inf where it is padding; None = nothing."""
        if self.key_mask is None:
            return self.log_weight
        weight = torch.zeros_like(self.key_mask, dtype=torch.float32) if self.log_weight is None else self.log_weight
        return weight.masked_fill(~self.key_mask, float("-inf"))

    def exact(self, batch: int, tokens: int, device: torch.device) -> Tensor:
        """[B, N] bool, the keys that no approximation may pool or blur: real registers and emitters."""
        exact = torch.zeros(batch, tokens, dtype=torch.bool, device=device)
        if self.emitters is not None:
            exact |= self.emitters
        exact[:, : self.registers] = True
        return exact if self.key_mask is None else exact & self.key_mask

    def repeated(self, times: int) -> "Context":
        """For a batch in which each sequence stands `times` times in a row; without features and plan, which speak of
        triangles as queries.
        """
        if times == 1:
            return self

        def rows(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.repeat_interleave(times, 0)

        return Context(rows(self.key_mask), self.registers, rows(self.emitters), rows(self.log_weight))
