"""A deepened model is the same function, of more parameters, which learn."""

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model.conversion import deepened
from tests.support.model_scenes import cameras, random_batch, small_model


@pytest.mark.parametrize("changes", [{}, {"bias": True, "activation": "gelu"}, {"attention": "performer"}])
@pytest.mark.parametrize("layers", [3, 4, 7])
def test_the_same_picture_from_more_layers(changes: dict[str, object], layers: int) -> None:
    model = small_model(**changes)
    deep = deepened(model, layers)
    assert deep.config.num_layers == len(deep.transformer.layers) == layers
    with torch.no_grad():
        image, same = (each(random_batch(2, 20), *cameras(2), 16) for each in (model, deep))
    torch.testing.assert_close(image, same, rtol=1e-5, atol=1e-6)
    assert image.std() > 0


def test_new_layers_learn() -> None:
    deep = deepened(small_model(), 4).train()

    def backward() -> None:
        deep.zero_grad()
        deep(random_batch(1, 20), *cameras(1), 16).square().mean().backward()

    backward()
    torch.optim.SGD(deep.parameters(), 1.0).step()  # only the zeros of the new layers can move at first
    backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in deep.transformer.layers.parameters())


@pytest.mark.parametrize("layers", [-1, 0, 1, 2, 257])
def test_a_model_is_not_made_shallower(layers: int) -> None:
    with pytest.raises(InputError, match="--layers"):
        deepened(small_model(), layers)
