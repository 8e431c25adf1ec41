"""FAVOR+, its learned variant, and the random directions of both."""

import pytest
import torch

from rfcli.attention import Context, create
from rfcli.attention.feature_sums import CHUNK
from rfcli.attention.orthogonal import orthogonal_gaussian
from tests.support.attention_reference import dense_softmax


def random_sequence(tokens: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(1, 1, tokens, 64, generator=generator) for _ in range(3)]


def test_error_is_proportional_to_inverse_square_root_of_features() -> None:
    """16 times as many random features give about a quarter of the error."""
    q, k, v = random_sequence(200, 0)
    q, k = 0.4 * q, 0.4 * k
    exact = dense_softmax(q, k, v, None)

    def error(features: int) -> float:
        layers = [create("performer", 1, 64, feature_map="favor", features=features, seed=seed) for seed in range(8)]
        squares = [(layer(q, k, v, Context()) - exact).square().mean() for layer in layers]
        return float(torch.stack(squares).mean().sqrt())

    assert 2.5 < error(64) / error(1024) < 6.5


def test_result_does_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = random_sequence(CHUNK + 77, 1)
    mask = torch.ones(1, CHUNK + 77, dtype=torch.bool)
    mask[:, :CHUNK] = False  # only padding in the first chunk
    layer = create("performer", 1, 64, feature_map="favor")
    for context in (Context(), Context(key_mask=mask)):
        chunked = layer(q, k, v, context)
        with monkeypatch.context() as patch:
            patch.setattr("rfcli.attention.feature_sums.CHUNK", 10 * CHUNK)
            assert torch.allclose(layer(q, k, v, context), chunked, atol=1e-5)


@pytest.mark.parametrize("feature_map", ["favor", "learned"])
def test_directions_depend_on_seed_layer_and_head(feature_map: str) -> None:
    def directions(**options: int) -> torch.Tensor:
        layer = create("performer", 2, 64, feature_map=feature_map, **options)
        return next(iter(layer.state_dict().values() if feature_map == "favor" else [layer.key_directions]))

    assert torch.equal(directions(seed=3), directions(seed=3))
    assert torch.equal(directions(seed=3, index=2), directions(seed=5))  # layer i has seed + i
    assert not torch.equal(directions(seed=3), directions(seed=4))
    assert not torch.equal(*directions())


def test_learned_directions_start_equal_for_queries_and_keys() -> None:
    layer = create("performer", 2, 64)
    assert torch.equal(layer.key_directions, layer.query_directions)


def test_redraw_changes_random_directions_and_keeps_learned_ones() -> None:
    random, learned = create("performer", 2, 64, feature_map="favor", index=1), create("performer", 2, 64)
    before = random.directions.clone(), learned.key_directions.clone()
    random.redraw(4)
    learned.redraw(4)
    assert not torch.equal(random.directions, before[0])
    assert torch.equal(random.directions, create("performer", 2, 64, feature_map="favor", seed=5).directions)
    assert torch.equal(learned.key_directions, before[1])


@pytest.mark.parametrize(("rows", "dim"), [(256, 64), (100, 32), (7, 128)])
def test_directions_are_orthogonal_in_blocks_and_gaussian_in_norm(rows: int, dim: int) -> None:
    drawn = orthogonal_gaussian(rows, dim, torch.Generator().manual_seed(0)).double()
    assert drawn.shape == (rows, dim)
    block = torch.nn.functional.normalize(drawn[: min(rows, dim)], dim=1)
    assert torch.allclose(block @ block.T, torch.eye(len(block), dtype=torch.float64), atol=1e-6)
    # Squared norms follow chi-squared with `dim` degrees of freedom: mean dim, variance 2 dim.
    mean = drawn.square().sum(1).mean()
    assert abs(mean - dim) < 5 * (2 * dim / rows) ** 0.5
