"""FAVOR+ beyond what every mechanism owes."""

import pytest
import torch

from rfcli.attention import Context
from rfcli.attention.feature_sums import CHUNK
from rfcli.attention.orthogonal import orthogonal_gaussian
from rfcli.attention.performer import Performer
from tests.support.attention_reference import dense_softmax


def small(tokens: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(1, 1, tokens, 64, generator=generator) for _ in range(3)]


def test_more_features_come_closer_to_softmax() -> None:
    """The estimate's error falls as one over the root of the number of features: 16 times more, about 4 times less."""
    q, k, v = small(200, 0)
    q, k = 0.4 * q, 0.4 * k
    exact = dense_softmax(q, k, v, None)

    def error(features: int) -> float:
        draws = [Performer(1, 64, features=features, seed=s) for s in range(8)]
        squares = [(layer(q, k, v, Context()) - exact).square().mean() for layer in draws]
        return float(torch.stack(squares).mean().sqrt())

    few, many = error(64), error(1024)
    assert 2.5 < few / many < 6.5


def test_sequences_longer_than_a_chunk_agree_with_one_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = small(CHUNK + 77, 1)
    mask = torch.ones(1, CHUNK + 77, dtype=torch.bool)
    mask[:, :CHUNK] = False  # nothing real in the first chunk
    layer = Performer(1, 64)
    for context in (Context(), Context(key_mask=mask)):
        chunked = layer(q, k, v, context)
        with monkeypatch.context() as patch:
            patch.setattr("rfcli.attention.feature_sums.CHUNK", 10 * CHUNK)
            assert torch.allclose(layer(q, k, v, context), chunked, atol=1e-5)


def test_seed_decides_and_redraw_changes() -> None:
    a, b = Performer(2, 64, seed=3), Performer(2, 64, seed=3)
    assert torch.equal(a.directions, b.directions)
    b.redraw(4)
    assert not torch.equal(a.directions, b.directions)
    assert not torch.equal(a.directions[0], a.directions[1])


@pytest.mark.parametrize(("rows", "dim"), [(256, 64), (100, 32), (7, 128)])
def test_directions_are_orthogonal_in_blocks_and_gaussian_in_norm(rows: int, dim: int) -> None:
    drawn = orthogonal_gaussian(rows, dim, torch.Generator().manual_seed(0)).double()
    assert drawn.shape == (rows, dim)
    block = torch.nn.functional.normalize(drawn[: min(rows, dim)], dim=1)
    assert torch.allclose(block @ block.T, torch.eye(len(block), dtype=torch.float64), atol=1e-6)
    # Squared norms follow chi-squared with `dim` degrees of freedom: mean dim, variance 2 dim.
    mean = drawn.square().sum(1).mean()
    assert abs(mean - dim) < 5 * (2 * dim / rows) ** 0.5


def test_options_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="at least one feature"):
        Performer(1, 32, features=0)
    with pytest.raises(ValueError, match=r"no kernel 'elu'.*softmax, relu"):
        Performer(1, 32, kernel="elu")
