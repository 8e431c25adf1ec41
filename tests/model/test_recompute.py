"""Activation checkpointing: the same images and gradients from less memory."""

import pytest
import torch
from torch import Tensor

from tests.support.model_scenes import cameras, random_batch, small_model


def training_step(recompute: bool, dropout: float) -> tuple[Tensor, list[Tensor], int]:
    """Image, gradients, and bytes saved for backward, with fixed random numbers."""
    model = small_model(dropout=dropout).train()
    model.transformer.recompute = model.view_transformer.transformer.recompute = recompute
    saved: dict[int, int] = {}

    def save(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        image = model(random_batch(2, 40), *cameras(2), 16)
    gradients = torch.autograd.grad(image.square().sum(), list(model.parameters()), materialize_grads=True)
    return image.detach(), list(gradients), sum(saved.values())


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_recompute_gives_the_same_gradients_with_less_memory(dropout: float) -> None:
    image, gradients, saved_bytes = training_step(False, dropout)
    recomputed_image, recomputed_gradients, fewer_bytes = training_step(True, dropout)
    assert torch.equal(image, recomputed_image)
    assert all(torch.equal(a, b) for a, b in zip(gradients, recomputed_gradients, strict=True))
    assert fewer_bytes < 0.6 * saved_bytes
