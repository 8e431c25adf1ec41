"""Random queries, keys and values, and contexts of scenes."""

import dataclasses

import torch
from torch import Tensor

from rfcli.attention import AttentionLayer, Context


def sequence(batch: int, heads: int, tokens: int, dim: int, seed: int = 0) -> list[Tensor]:
    """q, k and v [B, H, N, D] in float64."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, heads, tokens, dim, generator=generator, dtype=torch.float64) for _ in range(3)]


def random_context(batch: int, tokens: int, seed: int = 0, **fields: object) -> Context:
    """A context of random positions and normals, with other fields as given."""
    generator = torch.Generator().manual_seed(seed)
    return Context(features=torch.randn(batch, tokens, 6, generator=generator), **fields)  # type: ignore[arg-type]


def padded_context(batch: int, tokens: int, seed: int = 0) -> Context:
    """A random mask with a real token in every row, random key weights, one register and some emitters."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(batch, tokens, generator=generator) < 0.6
    mask[:, 0] = mask[:, tokens // 2] = True
    emitters = torch.rand(batch, tokens, generator=generator) < 0.1
    weight = torch.randn(batch, tokens, generator=generator)
    return random_context(batch, tokens, seed, key_mask=mask, registers=1, emitters=emitters & mask, log_weight=weight)


def with_plan(layer: AttentionLayer, context: Context) -> Context:
    """The context with the layer's plan."""
    return dataclasses.replace(context, plan=layer.plan(context))
