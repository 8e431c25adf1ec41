"""What holds for every mechanism behind the registry."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from rfcli.attention import Context, create, names
from rfcli.attention.learned_favor import LearnedFavor
from tests.support.attention_reference import (
    dense_favor,
    dense_hedgehog,
    dense_learned,
    dense_near_far,
    dense_relu,
    dense_softmax,
)
from tests.support.attention_scenes import cloud, partial_cloud, planned, sequence

SHAPES = [(1, 1, 1, 32), (1, 3, 17, 64), (2, 2, 130, 96), (3, 1, 257, 128), (1, 1, 5000, 32)]
FEW_KEYS = {"keys": 12}  # so that near-far attention pools in small scenes too
PAPERS = [("performer", {"feature_map": "favor", "kernel": kernel}) for kernel in ("softmax", "relu")]
LAYERS = [*((name, {}) for name in names()), *PAPERS, ("nearfar", FEW_KEYS)]
every_layer = pytest.mark.parametrize(("name", "options"), LAYERS)


def twin(name: str, layer: torch.nn.Module, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
    if name == "hedgehog":
        return dense_hedgehog(q, k, v, layer, context)
    if isinstance(layer, LearnedFavor):
        return dense_learned(q, k, v, layer, context)
    if name == "performer" and layer.kernel == "relu":
        return dense_relu(q, k, v, layer.directions.double(), context.key_bias())
    if name == "performer":
        return dense_favor(q, k, v, layer.directions.double(), context.key_bias())
    if name == "nearfar":
        return dense_near_far(q, k, v, context, frequencies=min(6, q.shape[-1] // 18))
    return dense_softmax(q, k, v, context.key_bias())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [False, True])
@every_layer
def test_equals_its_dense_float64_twin(
    name: str, options: dict[str, Any], masked: bool, shape: tuple[int, int, int, int]
) -> None:
    batch, heads, tokens, dim = shape
    if name == "performer" and options.get("kernel") != "relu" and tokens > 2000:
        options = {**options, "features": 4}  # the twin sums N x N x features numbers
    q, k, v = sequence(*shape)
    layer = create(name, heads=heads, head_dim=dim, **options)
    context = planned(layer, partial_cloud(batch, tokens) if masked else cloud(batch, tokens))
    expected = twin(name, layer, q, k, v, context)
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-5)):
        out = layer(q.to(dtype), k.to(dtype), v.to(dtype), context)
        assert out.dtype == dtype
        assert (out - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("emitters", [1, 300])
@every_layer
def test_equals_its_twin_with_one_emitter_and_with_hundreds(name: str, options: dict[str, Any], emitters: int) -> None:
    q, k, v = sequence(1, 1, 400, 32)
    lit = torch.zeros(1, 400, dtype=torch.bool)
    lit[:, torch.randperm(400, generator=torch.Generator().manual_seed(2))[:emitters]] = True
    layer = create(name, heads=1, head_dim=32, **options)
    context = planned(layer, cloud(1, 400, emitters=lit, registers=2))
    expected = twin(name, layer, q, k, v, context)
    assert (layer(q, k, v, context) - expected).abs().max() <= 1e-6 * expected.abs().max()


@every_layer
def test_gradients_equal_the_twins(name: str, options: dict[str, Any]) -> None:
    q, k, v = (x.requires_grad_() for x in sequence(2, 2, 60, 32))
    layer = create(name, heads=2, head_dim=32, **options)
    context = planned(layer, partial_cloud(2, 60))
    weights = torch.randn(q.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    ours = torch.autograd.grad((layer(q, k, v, context) * weights).sum(), (q, k, v))
    exact = torch.autograd.grad((twin(name, layer, q, k, v, context) * weights).sum(), (q, k, v))
    for a, b in zip(ours, exact, strict=True):
        assert (a - b).abs().max() <= 1e-6 * b.abs().max()


@every_layer
def test_padded_keys_do_not_exist(name: str, options: dict[str, Any]) -> None:
    q, k, v = sequence(1, 2, 50, 64)
    layer = create(name, heads=2, head_dim=64, **options)
    scene = cloud(1, 50)
    mask = torch.ones(1, 50, dtype=torch.bool)
    mask[:, 30:] = False
    alone = planned(layer, Context(features=scene.features[:, :30]))
    short = layer(q[:, :, :30], k[:, :, :30], v[:, :, :30], alone)
    k[:, :, 30:], v[:, :, 30:] = 1e3, 1e6
    padded = layer(q, k, v, planned(layer, dataclasses.replace(scene, key_mask=mask)))[:, :, :30]
    assert torch.allclose(short, padded, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", names())
def test_a_key_of_weight_two_is_a_key_twice(name: str) -> None:
    q, k, v = sequence(1, 2, 20, 32)
    layer = create(name, heads=2, head_dim=32)
    weight = torch.zeros(1, 20)
    weight[0, 7] = torch.log(torch.tensor(2.0))
    weighted = layer(q, k, v, Context(log_weight=weight))
    doubled = layer(q, torch.cat([k, k[:, :, 7:8]], 2), torch.cat([v, v[:, :, 7:8]], 2), Context())
    assert torch.allclose(weighted, doubled, rtol=1e-5)


@every_layer
def test_order_of_the_triangles_does_not_matter(name: str, options: dict[str, Any]) -> None:
    q, k, v = sequence(1, 2, 300, 64)
    layer = create(name, heads=2, head_dim=64, **options)
    scene = cloud(1, 300)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    straight = layer(q, k, v, planned(layer, scene))[:, :, order]
    turned = planned(layer, Context(features=scene.features[:, order]))
    shuffled = layer(q[:, :, order], k[:, :, order], v[:, :, order], turned)
    assert torch.allclose(straight, shuffled, rtol=1e-6, atol=1e-9)


@every_layer
def test_the_result_may_be_written_over_the_queries(name: str, options: dict[str, Any]) -> None:
    layer = create(name, heads=2, head_dim=32, **options)
    if not getattr(layer, "takes_out", False):
        pytest.skip(f"{name} always gives a tensor of its own")
    q, k, v = (x.float() for x in sequence(2, 2, 900, 32))
    context = planned(layer, partial_cloud(2, 900))
    real = context.key_mask[:, None, :, None]
    apart, given = layer(q, k, v, context), q.clone()
    with torch.no_grad():
        over = layer(given, k, v, context, out=given)
    assert torch.allclose(over.where(real, 0), apart.where(real, 0), rtol=1e-5, atol=1e-6)
    pools = name != "nearfar" or options  # else so few triangles are read exactly, by softmax
    assert (over.data_ptr() == given.data_ptr()) == bool(pools)
    kept = q.clone()
    layer(q.requires_grad_(), k, v, context, out=q)
    assert torch.equal(q, kept)  # gradients need them


@pytest.mark.parametrize("scale", [0.0, 60.0])
@every_layer
def test_finite_for_identical_keys_and_logits_of_sixty(name: str, options: dict[str, Any], scale: float) -> None:
    q, k, v = (x.float() for x in sequence(1, 1, 40, 64))
    q, k = torch.nn.functional.normalize(q, dim=-1), torch.nn.functional.normalize(k, dim=-1)
    factor = (scale * 64**0.5) ** 0.5  # unit vectors times this give logits of up to `scale`
    layer = create(name, heads=1, head_dim=64, **options)
    context = planned(layer, cloud(1, 40))
    out = layer(q * factor, k * factor if scale else k[:, :, :1].expand_as(k), v, context)
    assert out.isfinite().all()
    if not scale:
        assert torch.allclose(out, v.mean(2, keepdim=True).expand_as(out), atol=1e-5)


@every_layer
def test_half_precision_comes_back_as_it_went_in(name: str, options: dict[str, Any]) -> None:
    q, k, v = sequence(1, 2, 200, 64)
    layer = create(name, heads=2, head_dim=64, **options)
    context = planned(layer, partial_cloud(1, 200))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(q.bfloat16(), k.bfloat16(), v.bfloat16(), context)
    assert out.dtype == torch.bfloat16
    real = context.key_mask[0]
    close = twin(name, layer, *(x.bfloat16().double() for x in (q, k, v)), context)[:, :, real]
    assert (out[:, :, real] - close).abs().max() <= 0.02 * close.abs().max()
