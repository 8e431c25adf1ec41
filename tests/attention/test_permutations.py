"""Triangles are a set: every mechanism gives the same whatever their order, and whatever the padding holds."""

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rfcli.attention import Context, create, names
from tests.support.attention_scenes import partial_cloud, planned, sequence

PAPERS = [("performer", {"feature_map": "favor", "kernel": kernel}) for kernel in ("softmax", "relu")]
LAYERS = [*((name, {}) for name in names()), *PAPERS, ("nearfar", {"keys": 12})]
every_layer = pytest.mark.parametrize(("name", "options"), LAYERS, ids=[f"{name}{options}" for name, options in LAYERS])


def permuted(context: Context, order: Tensor) -> Context:
    arrays = {
        field.name: getattr(context, field.name)[:, order]
        for field in dataclasses.fields(context)
        if isinstance(getattr(context, field.name), Tensor)
    }
    return dataclasses.replace(context, plan=None, **arrays)


@every_layer
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tokens=st.integers(2, 90))
def test_permuting_the_triangles_permutes_the_answers(
    name: str, options: dict[str, Any], seed: int, tokens: int
) -> None:
    q, k, v = sequence(2, 2, tokens, 32, seed)
    context = partial_cloud(2, tokens, seed)
    generator = torch.Generator().manual_seed(seed)
    order = torch.cat([torch.tensor([0]), 1 + torch.randperm(tokens - 1, generator=generator)])  # the register stays
    layer = create(name, heads=2, head_dim=32, **options)
    straight = layer(q, k, v, planned(layer, context))
    turned = permuted(context, order)
    shuffled = layer(q[:, :, order], k[:, :, order], v[:, :, order], planned(layer, turned))
    real = context.key_mask[:, None, :, None].expand_as(straight)[:, :, order]  # type: ignore[index]
    tolerance = 1e-6 * float(straight.detach().abs().max())
    assert (shuffled - straight[:, :, order])[real].abs().max() <= tolerance


@every_layer
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tokens=st.integers(2, 90))
def test_what_stands_in_padding_is_not_read(name: str, options: dict[str, Any], seed: int, tokens: int) -> None:
    q, k, v = sequence(2, 2, tokens, 32, seed)
    context = partial_cloud(2, tokens, seed)
    mask = context.key_mask[:, None, :, None].expand_as(k)  # type: ignore[index]
    layer = create(name, heads=2, head_dim=32, **options)
    planned_context = planned(layer, context)
    straight = layer(q, k, v, planned_context)
    other = layer(q, torch.where(mask, k, 50.0), torch.where(mask, v, 1e6), planned_context)
    assert torch.equal(other[mask], straight[mask])
