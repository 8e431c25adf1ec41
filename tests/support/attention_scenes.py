"""Sequences, and contexts of scenes to attend in."""

import dataclasses

import torch
from torch import Tensor

from rfcli.attention import Context


def sequence(batch: int, heads: int, tokens: int, dim: int, seed: int = 0) -> list[Tensor]:
    """q, k and v [B, H, N, D] in float64."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, heads, tokens, dim, generator=generator, dtype=torch.float64) for _ in range(3)]


def cloud(batch: int, tokens: int, seed: int = 0, **known: object) -> Context:
    """Random places and normals, and what else is `known`."""
    generator = torch.Generator().manual_seed(seed)
    return Context(features=torch.randn(batch, tokens, 6, generator=generator), **known)  # type: ignore[arg-type]


def partial_cloud(batch: int, tokens: int, seed: int = 0) -> Context:
    """A random mask with at least one real token a row, random key weights, a register and some emitters."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(batch, tokens, generator=generator) < 0.6
    mask[:, 0] = mask[:, tokens // 2] = True
    emitters = torch.rand(batch, tokens, generator=generator) < 0.1
    weight = torch.randn(batch, tokens, generator=generator)
    return cloud(batch, tokens, seed, key_mask=mask, registers=1, emitters=emitters & mask, log_weight=weight)


def planned(layer: torch.nn.Module, context: Context) -> Context:
    """With the plan, where the mechanism makes one."""
    return dataclasses.replace(context, plan=layer.plan(context)) if hasattr(layer, "plan") else context
