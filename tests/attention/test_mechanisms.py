"""Properties of every mechanism: values and gradients against a reference, masks, weights, order and formats."""

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rfcli.attention import Context, create, find_mechanism, names
from tests.support.attention_reference import reference
from tests.support.attention_scenes import padded_context, random_context, sequence, with_plan

SHAPES = [(1, 1, 1, 32), (1, 3, 17, 64), (2, 2, 130, 96), (3, 1, 257, 128)]
LONG = (1, 1, 5000, 32)
FAVOR = ("performer", {"feature_map": "favor"})
POOLING = ("nearfar", {"keys": 12})  # few keys, so that near-far attention pools small scenes too
NARROW = ("window", {"half_window": 5})  # narrower than the scenes
LAYERS = [*((name, {}) for name in names()), FAVOR, POOLING, NARROW]
every_layer = pytest.mark.parametrize(
    ("name", "options"), LAYERS, ids=["-".join(map(str, [name, *options.values()])) for name, options in LAYERS]
)
Shape = tuple[int, int, int, int]
Options = dict[str, Any]


def assert_equals_reference(name: str, options: Options, shape: Shape, padded: bool) -> None:
    batch, heads, tokens, dim = shape
    q, k, v = sequence(*shape)
    layer = create(name, heads=heads, head_dim=dim, **options)
    context = with_plan(layer, padded_context(batch, tokens) if padded else random_context(batch, tokens))
    expected = reference(name, options, layer, q, k, v, context)
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-5)):
        out = layer(q.to(dtype), k.to(dtype), v.to(dtype), context)
        assert out.dtype == dtype
        assert (out - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padded", [False, True])
@every_layer
def test_equals_dense_float64_reference(name: str, options: Options, padded: bool, shape: Shape) -> None:
    assert_equals_reference(name, options, shape, padded)


@pytest.mark.slow
@pytest.mark.parametrize("padded", [False, True])
@every_layer
def test_equals_reference_for_5000_tokens(name: str, options: Options, padded: bool) -> None:
    if name == "performer":
        options = {**options, "features": 4}  # the reference sums N x N x m numbers
    assert_equals_reference(name, options, LONG, padded)


@pytest.mark.parametrize("emitters", [1, 300])
@every_layer
def test_equals_reference_with_one_emitter_and_with_hundreds(name: str, options: Options, emitters: int) -> None:
    q, k, v = sequence(1, 1, 400, 32)
    emits = torch.zeros(1, 400, dtype=torch.bool)
    emits[:, torch.randperm(400, generator=torch.Generator().manual_seed(2))[:emitters]] = True
    layer = create(name, heads=1, head_dim=32, **options)
    context = with_plan(layer, random_context(1, 400, emitters=emits, registers=2))
    expected = reference(name, options, layer, q, k, v, context)
    assert (layer(q, k, v, context) - expected).abs().max() <= 1e-6 * expected.abs().max()


@pytest.mark.parametrize("emitters", [6, 70])
@every_layer
def test_gradients_equal_those_of_reference(name: str, options: Options, emitters: int) -> None:
    """With 70 emitters the second scene has clusters of emitters; the first has not."""
    tokens = 60 if emitters < 64 else 120
    q, k, v = (x.requires_grad_() for x in sequence(2, 2, tokens, 32))
    layer = create(name, heads=2, head_dim=32, **options)
    context = padded_context(2, tokens)
    assert context.emitters is not None
    context.emitters[1, 1 : 1 + emitters] = context.key_mask[1, 1 : 1 + emitters] = True  # type: ignore[index]
    context = with_plan(layer, context)
    inputs = (q, k, v, *layer.parameters())
    weights = torch.randn(q.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    found = torch.autograd.grad((layer(q, k, v, context) * weights).sum(), inputs)
    expected = torch.autograd.grad((reference(name, options, layer, q, k, v, context) * weights).sum(), inputs)
    for a, b in zip(found, expected, strict=True):
        assert (a - b).abs().max() <= 1e-6 * b.abs().max()


@every_layer
def test_padding_has_no_effect_on_real_tokens(name: str, options: Options) -> None:
    q, k, v = sequence(1, 2, 50, 64)
    layer = create(name, heads=2, head_dim=64, **options)
    scene = random_context(1, 50)
    mask = torch.ones(1, 50, dtype=torch.bool)
    mask[:, 30:] = False
    unpadded = with_plan(layer, Context(features=scene.features[:, :30]))
    expected = layer(q[:, :, :30], k[:, :, :30], v[:, :, :30], unpadded)
    k[:, :, 30:], v[:, :, 30:] = 1e3, 1e6
    found = layer(q, k, v, with_plan(layer, dataclasses.replace(scene, key_mask=mask)))[:, :, :30]
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", names())
def test_key_of_weight_two_equals_the_key_twice(name: str) -> None:
    q, k, v = sequence(1, 2, 20, 32)
    layer = create(name, heads=2, head_dim=32)
    weight = torch.zeros(1, 20)
    weight[0, 7] = torch.log(torch.tensor(2.0))
    weighted = layer(q, k, v, Context(log_weight=weight))
    doubled = layer(q, torch.cat([k, k[:, :, 7:8]], 2), torch.cat([v, v[:, :, 7:8]], 2), Context())
    assert torch.allclose(weighted, doubled, rtol=1e-5)


def permuted(context: Context, order: Tensor) -> Context:
    arrays = {
        field.name: getattr(context, field.name)[:, order]
        for field in dataclasses.fields(context)
        if isinstance(getattr(context, field.name), Tensor)
    }
    return dataclasses.replace(context, plan=None, **arrays)


def assert_permutation_commutes(name: str, options: Options, tokens: int, seed: int) -> None:
    q, k, v = sequence(2, 2, tokens, 32, seed)
    context = padded_context(2, tokens, seed)
    generator = torch.Generator().manual_seed(seed)
    order = torch.cat([torch.tensor([0]), 1 + torch.randperm(tokens - 1, generator=generator)])  # the register stays
    layer = create(name, heads=2, head_dim=32, **options)
    expected = layer(q, k, v, with_plan(layer, context))[:, :, order]
    found = layer(q[:, :, order], k[:, :, order], v[:, :, order], with_plan(layer, permuted(context, order)))
    real = context.key_mask[:, None, :, None].expand_as(q)[:, :, order]  # type: ignore[index]
    assert (found - expected)[real].abs().max() <= 1e-6 * float(expected.detach().abs().max())


@every_layer
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tokens=st.integers(2, 90))
def test_permuting_triangles_permutes_the_output(name: str, options: Options, seed: int, tokens: int) -> None:
    assert_permutation_commutes(name, options, tokens, seed)


@every_layer
def test_permuting_triangles_of_several_blocks_permutes_the_output(name: str, options: Options) -> None:
    assert_permutation_commutes(name, options, 1100, 0)


@every_layer
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tokens=st.integers(2, 90))
def test_values_at_padding_are_not_read(name: str, options: Options, seed: int, tokens: int) -> None:
    q, k, v = sequence(2, 2, tokens, 32, seed)
    context = padded_context(2, tokens, seed)
    mask = context.key_mask[:, None, :, None].expand_as(k)  # type: ignore[index]
    layer = create(name, heads=2, head_dim=32, **options)
    planned = with_plan(layer, context)
    expected = layer(q, k, v, planned)
    found = layer(q, torch.where(mask, k, 50.0), torch.where(mask, v, 1e6), planned)
    assert torch.equal(found[mask], expected[mask])


@pytest.mark.parametrize("tokens", [1, 40, 300])
@every_layer
def test_row_without_keys_gives_zeros_and_finite_gradients(name: str, options: Options, tokens: int) -> None:
    q, k, v = (x.requires_grad_() for x in sequence(3, 2, tokens, 32))
    layer = create(name, heads=2, head_dim=32, **options)
    scene = padded_context(3, tokens)
    mask = scene.key_mask.clone()  # type: ignore[union-attr]
    mask[1] = False
    masked = with_plan(layer, dataclasses.replace(scene, key_mask=mask))
    out = layer(q, k, v, masked)
    assert (out[1] == 0).all()
    gradients = torch.autograd.grad(out.square().sum(), (q, k, v, *layer.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all((gradient[1] == 0).all() for gradient in gradients[:3])
    others = torch.tensor([0, 2])
    expected = layer(q[others], k[others], v[others], with_plan(layer, rows(masked, others)))
    real = mask[others][:, None, :, None]
    assert torch.allclose(out[others].where(real, 0), expected.where(real, 0), rtol=1e-9, atol=1e-12)
    with torch.no_grad():
        buffer = {"out": q.clone()} if find_mechanism(name).takes_output_buffer else {}
        assert (layer(q, k, v, masked, **buffer)[1] == 0).all()
        nothing = dataclasses.replace(masked, key_mask=torch.zeros_like(mask))
        assert (layer(q, k, v, with_plan(layer, nothing)) == 0).all()


def rows(context: Context, index: Tensor) -> Context:
    """The context of some rows of the batch, without a plan."""
    fields = {name: value[index] for name, value in vars(context).items() if isinstance(value, Tensor)}
    fields.pop("empty_rows", None)
    return Context(registers=context.registers, **fields)  # type: ignore[arg-type]


@every_layer
def test_output_buffer_may_be_the_queries(name: str, options: Options) -> None:
    layer = create(name, heads=2, head_dim=32, **options)
    if not find_mechanism(name).takes_output_buffer:
        pytest.skip(f"{name} takes no output buffer")
    q, k, v = (x.float() for x in sequence(2, 2, 900, 32))
    context = with_plan(layer, padded_context(2, 900))
    real = context.key_mask[:, None, :, None]
    expected, buffer = layer(q, k, v, context), q.clone()
    with torch.no_grad():
        found = layer(buffer, k, v, context, out=buffer)
    assert torch.allclose(found.where(real, 0), expected.where(real, 0), rtol=1e-5, atol=1e-6)
    # With default options near-far attention computes 900 tokens exactly, without the buffer.
    uses_buffer = name != "nearfar" or bool(options)
    assert (found.data_ptr() == buffer.data_ptr()) == uses_buffer
    unchanged = q.clone()
    layer(q.requires_grad_(), k, v, context, out=q)
    assert torch.equal(q, unchanged)  # the backward pass needs the queries


@pytest.mark.parametrize("scale", [0.0, 60.0])
@every_layer
def test_finite_for_identical_keys_and_for_logits_of_sixty(name: str, options: Options, scale: float) -> None:
    q, k, v = (x.float() for x in sequence(1, 1, 40, 64))
    q, k = torch.nn.functional.normalize(q, dim=-1), torch.nn.functional.normalize(k, dim=-1)
    factor = (scale * 64**0.5) ** 0.5  # unit vectors times this factor have logits of up to `scale`
    layer = create(name, heads=1, head_dim=64, **options)
    context = with_plan(layer, random_context(1, 40))
    out = layer(q * factor, k * factor if scale else k[:, :, :1].expand_as(k), v, context)
    assert out.isfinite().all()
    if not scale and (name, options) != NARROW:
        assert torch.allclose(out, v.mean(2, keepdim=True).expand_as(out), atol=1e-5)


@every_layer
def test_bfloat16_input_gives_bfloat16_output(name: str, options: Options) -> None:
    q, k, v = sequence(1, 2, 200, 64)
    layer = create(name, heads=2, head_dim=64, **options)
    context = with_plan(layer, padded_context(1, 200))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(q.bfloat16(), k.bfloat16(), v.bfloat16(), context)
    assert out.dtype == torch.bfloat16
    real = context.key_mask[0]
    expected = reference(name, options, layer, *(x.bfloat16().double() for x in (q, k, v)), context)[:, :, real]
    assert (out[:, :, real] - expected).abs().max() <= 0.02 * expected.abs().max()
