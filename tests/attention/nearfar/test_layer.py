"""Near-far attention against the softmax that it stands for."""

import dataclasses

import pytest
import torch
from torch import Tensor

from rfcli.attention import Context, create
from tests.support.attention_reference import dense_near_far, dense_softmax
from tests.support.attention_scenes import cloud, partial_cloud, planned, sequence


def smooth_scene(tokens: int, dim: int = 64, noise: float = 0.3) -> tuple[Tensor, Tensor, Tensor, Context]:
    """A sphere whose keys, values and queries follow place and normal, and three lights that all look at."""
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


def deviation(keys: int, tokens: int, forget_lights: bool = False) -> float:
    """Mean squared deviation from softmax over its variance."""
    q, k, v, context = smooth_scene(tokens)
    if forget_lights:
        context = dataclasses.replace(context, emitters=None)
    layer = create("nearfar", heads=1, head_dim=64, keys=keys)
    exact = dense_softmax(q, k, v, None)
    return float((layer(q, k, v, planned(layer, context)) - exact).square().mean() / exact.var())


def test_more_keys_come_closer_to_softmax() -> None:
    errors = [deviation(keys, 2600) for keys in (64, 256, 1024)]
    assert errors[0] < 0.05
    assert errors[1] < 0.3 * errors[0]
    assert errors[2] < 1e-3


@pytest.mark.parametrize("tokens", [4096, 16384])
@pytest.mark.parametrize(("noise", "most"), [(0.0, 1e-3), (0.3, 1.5e-2)])
def test_the_usual_keys_come_as_close_as_promised(tokens: int, noise: float, most: float) -> None:
    """On smooth surfaces, and where every triangle has a share of its own that the tree does not know of."""
    q, k, v, context = smooth_scene(tokens, noise=noise)
    q, k, v = q.float(), k.float(), v.float()
    layer = create("nearfar", heads=1, head_dim=64)
    some = torch.randperm(tokens, generator=torch.Generator().manual_seed(0))[:256]
    exact = dense_softmax(q[:, :, some], k, v, None)
    found = layer(q, k, v, planned(layer, context))[:, :, some]
    assert (found - exact).square().mean() <= most * exact.var()


def test_the_error_hardly_grows_with_the_scene() -> None:
    assert deviation(256, 5000) < 2 * deviation(256, 1300)


def test_lights_in_the_tree_would_be_lost() -> None:
    assert deviation(128, 2600) < 0.2 * deviation(128, 2600, forget_lights=True)


def test_a_finer_tessellation_with_weights_of_area_changes_nothing() -> None:
    """Each triangle given twice at half its weight: the same sums, and clusters of the same content."""
    q, k, v, context = smooth_scene(1300)
    layer = create("nearfar", heads=1, head_dim=64, keys=128)
    coarse = layer(q, k, v, planned(layer, context))
    twice = [x.repeat_interleave(2, 2) for x in (q, k, v)]
    halves = Context(
        features=context.features.repeat_interleave(2, 1),
        emitters=context.emitters.repeat_interleave(2, 1),
        log_weight=torch.full((1, 2600), 0.5).log(),
    )
    fine = layer(*twice, planned(layer, halves))[:, :, ::2]
    exact = dense_softmax(q, k, v, None)
    assert (fine - exact).square().mean() < 2 * (coarse - exact).square().mean()


@pytest.mark.parametrize(("tokens", "keys"), [(700, 8), (1500, 40), (1300, 2), (2600, 1)])
def test_coarse_trees_and_long_scenes_equal_the_twin_with_their_gradients(
    tokens: int, keys: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Smallest nodes of 2 to 128 triangles, gathered in several stretches."""
    monkeypatch.setattr("rfcli.attention.nearfar.key_table.PLACES_AT_ONCE", 256)
    q, k, v = (x.requires_grad_() for x in sequence(1, 2, tokens, 32))
    layer = create("nearfar", heads=2, head_dim=32, keys=keys)
    context = planned(layer, partial_cloud(1, tokens))
    assert context.plan[0].smallest > 1
    ours, twin = layer(q, k, v, context), dense_near_far(q, k, v, context, frequencies=1)
    real = context.key_mask[0]
    assert (ours - twin)[:, :, real].abs().max() <= 1e-6 * twin.abs().max()
    weights = torch.randn(q.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    weights[:, :, ~real] = 0
    for a, b in zip(
        torch.autograd.grad((ours * weights).sum(), (q, k, v)),
        torch.autograd.grad((twin * weights).sum(), (q, k, v)),
        strict=True,
    ):
        assert (a - b).abs().max() <= 1e-6 * b.abs().max()


def test_few_triangles_are_read_exactly_and_need_no_plan() -> None:
    q, k, v, context = smooth_scene(2000)
    layer = create("nearfar", heads=1, head_dim=64)
    assert planned(layer, context).plan == (None,)
    exact = dense_softmax(q, k, v, None)
    for given in (Context(), planned(layer, context)):
        assert torch.allclose(layer(q, k, v, given), exact, rtol=1e-9)


def test_many_triangles_without_a_plan_are_an_error() -> None:
    q, k, v, context = smooth_scene(2100)
    with pytest.raises(ValueError, match="more than 2048 tokens"):
        create("nearfar", heads=1, head_dim=64)(q, k, v, context)


def test_padding_as_a_query_reads_nothing() -> None:
    mask = torch.ones(1, 300, dtype=torch.bool)
    mask[:, 250:] = False
    layer = create("nearfar", heads=1, head_dim=64, keys=64)
    q, k, v = torch.randn(3, 1, 1, 300, 64, generator=torch.Generator().manual_seed(0))
    out = layer(q, k, v, planned(layer, cloud(1, 300, key_mask=mask)))
    assert (out[:, :, 250:] == 0).all()
    assert (out[:, :, :250] != 0).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"keys": 0}, "at least one key"), ({"frequencies": 4}, "4 RoPE frequencies .* at most 3 do")],
)
def test_options_that_cannot_be(options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        create("nearfar", heads=1, head_dim=64, **options)
