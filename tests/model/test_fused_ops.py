"""Gradients that are written out here against those that torch derives from the formula, step by step in float64."""

import pytest
import torch
from torch import Tensor

from rfcli.model.encodings import rope_rotation, rotate
from rfcli.model.layers import RMSNorm


def compare(ours: Tensor, formula: Tensor, inputs: list[Tensor], doubles: list[Tensor]) -> None:
    """Values and gradients, of random directions, agree to the rounding of float32."""
    assert torch.allclose(ours.double(), formula, rtol=1e-5, atol=1e-6)
    direction = torch.randn(formula.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = torch.autograd.grad((ours * direction).sum(), inputs)
    expected = torch.autograd.grad((formula * direction).sum(), doubles)
    for gradient, wanted in zip(found, expected, strict=True):
        assert (gradient - wanted).norm() < 1e-5 * wanted.norm()


@pytest.mark.parametrize("shape", [(2, 7, 16), (1, 1, 5), (3, 2, 4, 8), (6, 768)])
@pytest.mark.parametrize("size", [1.0, 1e-4, 300.0])
def test_rms_norm(shape: tuple[int, ...], size: float) -> None:
    """With values so small that epsilon matters, too."""
    generator = torch.Generator().manual_seed(0)
    x = (size * torch.randn(shape, generator=generator)).requires_grad_()
    norm = RMSNorm(shape[-1])
    torch.nn.init.uniform_(norm.weight, 0.5, 2.0, generator=generator)
    exact, weight = x.detach().double().requires_grad_(), norm.weight.detach().double().requires_grad_()
    formula = exact / (exact.square().mean(-1, keepdim=True) + norm.eps).sqrt() * weight
    compare(norm(x), formula, [x, norm.weight], [exact, weight])
    with torch.no_grad():
        assert torch.allclose(norm(x).double(), formula, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("heads", "frequencies", "dim"), [(1, 1, 18), (3, 3, 64)])
def test_rotation(heads: int, frequencies: int, dim: int) -> None:
    """Through transposed heads, as attention has them; the twin multiplies complex numbers."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, heads, dim, generator=generator).transpose(1, 2).requires_grad_()
    vertices = torch.randn(2, 5, 9, generator=generator)
    cos, sin = rope_rotation(vertices, torch.arange(1.0, frequencies + 1), dim)
    exact = x.detach().double().requires_grad_()
    turned = torch.complex(*exact.chunk(2, -1)) * torch.complex(cos.double(), sin.double())[:, None]
    compare(rotate(x, (cos, sin)), torch.cat([turned.real, turned.imag], -1), [x], [exact])


def test_places_have_gradients_where_they_are_asked_for() -> None:
    x = torch.randn(1, 1, 2, 18, generator=torch.Generator().manual_seed(0))
    vertices = torch.zeros(1, 2, 9).requires_grad_()
    (gradient,) = torch.autograd.grad(rotate(x, rope_rotation(vertices, torch.ones(1), 18)).sum(), vertices)
    first, second = x[0, 0].chunk(2, -1)
    assert torch.allclose(gradient[0], first - second)
