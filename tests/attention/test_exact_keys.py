"""Registers and emitters read one by one, beside learned features of all other keys."""

import pytest
import torch
from torch import Tensor

from rfcli.attention import Context, create
from rfcli.attention.hedgehog import Hedgehog
from rfcli.attention.learned_favor import LearnedFavor
from tests.support.attention_reference import dense_softmax
from tests.support.attention_scenes import sequence

Learned = LearnedFavor | Hedgehog
learned = pytest.mark.parametrize("kind", [LearnedFavor, Hedgehog])


def lights(tokens: int, *lit: int) -> Tensor:
    emitters = torch.zeros(1, tokens, dtype=torch.bool)
    emitters[:, list(lit)] = True
    return emitters


@learned
def test_registers_and_emitters_alone_are_softmax(kind: type[Learned]) -> None:
    q, k, v = sequence(1, 2, 6, 32)
    context = Context(registers=2, emitters=lights(6, 2, 3, 4, 5), log_weight=torch.randn(1, 6))
    out = kind(2, 32)(3 * q, 3 * k, v, context)
    assert torch.allclose(out, dense_softmax(3 * q, 3 * k, v, context.log_weight), rtol=1e-9)


def test_a_light_that_all_look_at_is_heard_by_all() -> None:
    """Its logit is 20, which random features hardly notice."""
    q, k, v = sequence(1, 1, 500, 64)
    direction = torch.nn.functional.normalize(torch.ones(64, dtype=torch.float64), dim=0)
    q = q * 0.3 + direction * 10
    k = k * 0.3
    k[:, :, 7] = direction * 16
    known, unknown = Context(emitters=lights(500, 7)), Context()
    exact = dense_softmax(q, k, v, None)

    def error(layer: torch.nn.Module, context: Context) -> float:
        return float((layer(q, k, v, context) - exact).detach().square().mean() / v.var())

    assert error(create("performer", heads=1, head_dim=64), known) < 1e-4
    assert error(create("performer", heads=1, head_dim=64, feature_map="favor"), unknown) > 0.1


@learned
def test_balance_moves_weight_from_exact_keys_to_the_others(kind: type[Learned]) -> None:
    q, k, _ = sequence(1, 1, 50, 32)
    v = torch.zeros(1, 1, 50, 32, dtype=torch.float64)
    v[:, :, 3] = 1.0  # so that the result is the weight of the light
    layer = kind(1, 32).double()
    context = Context(emitters=lights(50, 3))
    before = layer(q, k, v, context)
    with torch.no_grad():
        layer.balance += 0.1
    after = layer(q, k, v, context)
    odds = (before / (1 - before)) / (after / (1 - after))
    assert torch.allclose(odds, torch.full_like(odds, torch.e))
