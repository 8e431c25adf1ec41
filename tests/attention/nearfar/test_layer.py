"""Near-far attention compared with the softmax that it approximates."""

import dataclasses

import pytest
import torch
from torch import Tensor

from rfcli.attention import Context, create
from rfcli.errors import InputError
from tests.support.attention_reference import dense_near_far, dense_softmax
from tests.support.attention_scenes import padded_context, random_context, sequence, with_plan


def smooth_scene(tokens: int, dim: int = 64, noise: float = 0.3) -> tuple[Tensor, Tensor, Tensor, Context]:
    """A sphere whose queries, keys and values are linear in position and normal, with emitters of large weight."""
    generator = torch.Generator().manual_seed(tokens)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    direction = torch.nn.functional.normalize(normal(tokens, 3), dim=-1)
    features = torch.cat([0.5 * direction, direction], 1)
    q, k, v = (features @ normal(6, dim) + noise * normal(tokens, dim) for _ in range(3))
    emitters = torch.zeros(1, tokens, dtype=torch.bool)
    emitters[:, ::1000] = True
    q[:, 0] += 4.0
    k[emitters[0], 0] += 10.0
    v[emitters[0]] += 10.0
    return q[None, None], k[None, None], v[None, None], Context(features=features.float()[None], emitters=emitters)


def deviation(keys: int, tokens: int, with_emitters: bool = True) -> float:
    """Mean squared deviation from softmax, divided by its variance."""
    q, k, v, context = smooth_scene(tokens)
    if not with_emitters:
        context = dataclasses.replace(context, emitters=None)
    layer = create("nearfar", heads=1, head_dim=64, keys=keys)
    exact = dense_softmax(q, k, v, None)
    return float((layer(q, k, v, with_plan(layer, context)) - exact).square().mean() / exact.var())


def test_deviation_falls_with_the_number_of_keys() -> None:
    errors = [deviation(keys, 2600) for keys in (64, 256, 1024)]
    assert errors[0] < 0.05
    assert errors[1] < 0.3 * errors[0]
    assert errors[2] < 1e-3


@pytest.mark.parametrize("tokens", [4096, 16384])
@pytest.mark.parametrize(("noise", "limit"), [(0.0, 1e-3), (0.3, 1.5e-2)])
def test_default_keys_are_as_accurate_as_documented(tokens: int, noise: float, limit: float) -> None:
    """Queries, keys and values depend on the surface features alone, or also on noise per triangle."""
    q, k, v, context = smooth_scene(tokens, noise=noise)
    q, k, v = q.float(), k.float(), v.float()
    layer = create("nearfar", heads=1, head_dim=64)
    sample = torch.randperm(tokens, generator=torch.Generator().manual_seed(0))[:256]
    exact = dense_softmax(q[:, :, sample], k, v, None)
    found = layer(q, k, v, with_plan(layer, context))[:, :, sample]
    assert (found - exact).square().mean() <= limit * exact.var()


def test_deviation_less_than_doubles_with_four_times_the_triangles() -> None:
    assert deviation(256, 5000) < 2 * deviation(256, 1300)


def test_deviation_is_larger_if_emitters_are_pooled() -> None:
    assert deviation(128, 2600) < 0.2 * deviation(128, 2600, with_emitters=False)


def test_finer_tessellation_with_area_weights_is_as_accurate() -> None:
    """Each triangle twice with half its weight: sums and clusters are the same."""
    q, k, v, context = smooth_scene(1300)
    layer = create("nearfar", heads=1, head_dim=64, keys=128)
    coarse = layer(q, k, v, with_plan(layer, context))
    twice = [x.repeat_interleave(2, 2) for x in (q, k, v)]
    halves = Context(
        features=context.features.repeat_interleave(2, 1),
        emitters=context.emitters.repeat_interleave(2, 1),
        log_weight=torch.full((1, 2600), 0.5).log(),
    )
    fine = layer(*twice, with_plan(layer, halves))[:, :, ::2]
    exact = dense_softmax(q, k, v, None)
    assert (fine - exact).square().mean() < 2 * (coarse - exact).square().mean()


@pytest.mark.parametrize(("tokens", "keys"), [(700, 8), (1500, 40), (1300, 2), (2600, 1)])
def test_large_clusters_equal_reference_with_gradients(tokens: int, keys: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves of 2 to 128 triangles, pooled in several chunks."""
    monkeypatch.setattr("rfcli.attention.nearfar.key_table.SLOTS_AT_ONCE", 256)
    q, k, v = (x.requires_grad_() for x in sequence(1, 2, tokens, 32))
    layer = create("nearfar", heads=2, head_dim=32, keys=keys)
    context = with_plan(layer, padded_context(1, tokens))
    assert context.plan[0].leaf_size > 1
    found, expected = layer(q, k, v, context), dense_near_far(q, k, v, context, frequencies=1)
    real = context.key_mask[0]
    assert (found - expected)[:, :, real].abs().max() <= 1e-6 * expected.abs().max()
    weights = torch.randn(q.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    weights[:, :, ~real] = 0
    for a, b in zip(
        torch.autograd.grad((found * weights).sum(), (q, k, v)),
        torch.autograd.grad((expected * weights).sum(), (q, k, v)),
        strict=True,
    ):
        assert (a - b).abs().max() <= 1e-6 * b.abs().max()


def test_few_triangles_are_exact_and_need_no_plan() -> None:
    q, k, v, context = smooth_scene(2000)
    layer = create("nearfar", heads=1, head_dim=64)
    assert layer.plan(context) == (None,)
    exact = dense_softmax(q, k, v, None)
    for given in (Context(), with_plan(layer, context)):
        assert torch.allclose(layer(q, k, v, given), exact, rtol=1e-9)


def test_a_missing_or_foreign_plan_is_an_error_that_says_what_to_pass() -> None:
    q, k, v, context = smooth_scene(2100)
    layer = create("nearfar", heads=1, head_dim=64)
    for without_plan in (context, Context()):
        with pytest.raises(
            InputError, match=r"more than 2,048 tokens, and there are 2,100: .*plan=layer\.plan\(context\)"
        ):
            layer(q, k, v, without_plan)
    with pytest.raises(InputError, match=r"`context` has no features, .* \[B, N, A\]"):
        layer.plan(Context())
    two = torch.cat([context.features, context.features])  # type: ignore[list-item]
    with pytest.raises(InputError, match="a plan for 2 scenes, but q has 1"):
        layer(q, k, v, with_plan(layer, Context(features=two)))


def test_output_at_padding_is_zero() -> None:
    mask = torch.ones(1, 300, dtype=torch.bool)
    mask[:, 250:] = False
    layer = create("nearfar", heads=1, head_dim=64, keys=64)
    q, k, v = torch.randn(3, 1, 1, 300, 64, generator=torch.Generator().manual_seed(0))
    out = layer(q, k, v, with_plan(layer, random_context(1, 300, key_mask=mask)))
    assert (out[:, :, 250:] == 0).all()
    assert (out[:, :, :250] != 0).all()


def test_too_many_frequencies_for_the_head_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"4 RoPE frequencies .* at most 3 do"):
        create("nearfar", heads=1, head_dim=64, frequencies=4)
