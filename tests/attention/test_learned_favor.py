"""Learned features, beyond what every mechanism owes."""

import pytest
import torch

from rfcli.attention import create
from rfcli.attention.learned_favor import LearnedFavor


def test_the_seed_decides_where_learning_starts() -> None:
    a, b, c = (LearnedFavor(2, 64, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(a.key_directions, b.key_directions)
    assert not torch.equal(a.key_directions, c.key_directions)
    assert torch.equal(a.key_directions, a.query_directions)
    assert not torch.equal(a.key_directions[0], a.key_directions[1])


def test_options_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="at least one feature"):
        create("performer", heads=1, head_dim=32, features=0)
    with pytest.raises(ValueError, match=r"no feature map 'elu'.*learned, favor"):
        create("performer", heads=1, head_dim=32, feature_map="elu")
