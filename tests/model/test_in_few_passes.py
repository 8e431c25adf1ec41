"""Values and gradients against finite differences and against the forms that inference uses."""

import pytest
import torch
import torch.nn.functional as F

from rfcli.model.encodings import rotate
from rfcli.model.in_few_passes import rms_norm_for_training, rotate_for_training

SHAPES = [(1, 1, 2), (2, 5, 8), (3, 2, 4, 6)]


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_the_norm_are_those_of_finite_differences(shape):
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(shape[-1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: rms_norm_for_training(a, b, 1e-3), (x, weight))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_norm_is_torchs_own(scale):
    x, weight = scale * torch.randn(2, 7, 128), torch.randn(128)
    ours = rms_norm_for_training(x, weight, 1e-6)
    torch.testing.assert_close(ours, F.rms_norm(x, (128,), weight, 1e-6), rtol=2e-6, atol=2e-6)


def test_zeros_have_a_finite_norm_and_gradient():
    x = torch.zeros(2, 3, 4, requires_grad=True)
    rms_norm_for_training(x, torch.ones(4), 1e-6).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("heads_first", [True, False])
def test_gradients_of_the_rotation_are_those_of_finite_differences(heads_first):
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    x = (x if heads_first else x.transpose(1, 2)).detach().requires_grad_()
    angle = torch.randn(2, 1, x.shape[2], 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a: rotate_for_training(a, angle.cos(), angle.sin()), (x,))


def test_training_and_inference_turn_alike():
    x, angle = torch.randn(2, 3, 5, 8), torch.randn(2, 5, 4)
    rotation = angle.cos(), angle.sin()
    with torch.no_grad():
        at_inference = rotate(x, rotation)
    torch.testing.assert_close(rotate(x, rotation), at_inference, rtol=1e-6, atol=1e-6)
