"""Recomputing changes nothing but what is kept for backward."""

import pytest
import torch
from torch import Tensor

from tests.support.model_scenes import cameras, random_batch, small_model


def trained(recompute: bool, dropout: float) -> tuple[Tensor, list[Tensor], int]:
    """Image, gradients, and bytes that autograd keeps, of a training step on the same random numbers."""
    model = small_model(dropout=dropout).train()
    model.transformer.recompute = model.view_transformer.transformer.recompute = recompute
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        image = model(random_batch(2, 40), *cameras(2), 16)
    gradients = torch.autograd.grad(image.square().sum(), list(model.parameters()), materialize_grads=True)
    return image.detach(), list(gradients), sum(kept.values())


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_same_numbers_less_memory(dropout: float) -> None:
    image, gradients, kept = trained(False, dropout)
    again, recomputed, less = trained(True, dropout)
    assert torch.equal(image, again)
    assert all(torch.equal(a, b) for a, b in zip(gradients, recomputed, strict=True))
    assert less < 0.6 * kept
