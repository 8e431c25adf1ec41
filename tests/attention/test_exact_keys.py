"""Exact registers and emitters, with learned features for all other keys."""

import pytest
import torch
from torch import Tensor

from rfcli.attention import AttentionLayer, Context, create
from tests.support.attention_reference import dense_softmax
from tests.support.attention_scenes import sequence

every_learned = pytest.mark.parametrize("name", ["performer", "hedgehog"])


def emitters_at(tokens: int, *indices: int) -> Tensor:
    emitters = torch.zeros(1, tokens, dtype=torch.bool)
    emitters[:, list(indices)] = True
    return emitters


@every_learned
def test_registers_and_emitters_alone_equal_softmax(name: str) -> None:
    q, k, v = sequence(1, 2, 6, 32)
    context = Context(registers=2, emitters=emitters_at(6, 2, 3, 4, 5), log_weight=torch.randn(1, 6))
    out = create(name, 2, 32)(3 * q, 3 * k, v, context)
    assert torch.allclose(out, dense_softmax(3 * q, 3 * k, v, context.log_weight), rtol=1e-9)


def test_emitter_with_large_logits_is_attended_exactly() -> None:
    """Its logit is 20, for which random features have a large error."""
    q, k, v = sequence(1, 1, 500, 64)
    direction = torch.nn.functional.normalize(torch.ones(64, dtype=torch.float64), dim=0)
    q = q * 0.3 + direction * 10
    k = k * 0.3
    k[:, :, 7] = direction * 16
    exact = dense_softmax(q, k, v, None)

    def error(layer: AttentionLayer, context: Context) -> float:
        return float((layer(q, k, v, context) - exact).detach().square().mean() / v.var())

    assert error(create("performer", heads=1, head_dim=64), Context(emitters=emitters_at(500, 7))) < 1e-4
    assert error(create("performer", heads=1, head_dim=64, feature_map="favor"), Context()) > 0.1


@every_learned
def test_balance_moves_weight_from_exact_keys_to_the_others(name: str) -> None:
    q, k, _ = sequence(1, 1, 50, 32)
    v = torch.zeros(1, 1, 50, 32, dtype=torch.float64)
    v[:, :, 3] = 1.0  # so that the result is the weight of the emitter
    layer = create(name, 1, 32).double()
    context = Context(emitters=emitters_at(50, 3))
    before = layer(q, k, v, context)
    with torch.no_grad():
        layer.balance += 0.1
    after = layer(q, k, v, context)
    odds = (before / (1 - before)) / (after / (1 - after))
    assert torch.allclose(odds, torch.full_like(odds, torch.e))
