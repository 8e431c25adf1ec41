"""Hand-written backward passes against the gradients that autograd derives from the formula in float64."""

import pytest
import torch
from torch import Tensor

from rfcli.model.encodings import rope_rotation, rotate
from rfcli.model.layers import RMSNorm


def assert_equal_with_gradients(
    output: Tensor, reference: Tensor, inputs: list[Tensor], reference_inputs: list[Tensor]
) -> None:
    """Values, and gradients in a random direction, agree to the rounding of float32."""
    assert torch.allclose(output.double(), reference, rtol=1e-5, atol=1e-6)
    direction = torch.randn(reference.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients = torch.autograd.grad((output * direction).sum(), inputs)
    expected = torch.autograd.grad((reference * direction).sum(), reference_inputs)
    for gradient, expected_gradient in zip(gradients, expected, strict=True):
        assert (gradient - expected_gradient).norm() < 1e-5 * expected_gradient.norm()


@pytest.mark.parametrize("shape", [(2, 7, 16), (1, 1, 5), (3, 2, 4, 8), (6, 768)])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 300.0])
def test_rms_norm_matches_float64_reference(shape: tuple[int, ...], scale: float) -> None:
    """At scale 1e-4 epsilon dominates the mean square."""
    generator = torch.Generator().manual_seed(0)
    x = (scale * torch.randn(shape, generator=generator)).requires_grad_()
    norm = RMSNorm(shape[-1])
    torch.nn.init.uniform_(norm.weight, 0.5, 2.0, generator=generator)
    exact, weight = x.detach().double().requires_grad_(), norm.weight.detach().double().requires_grad_()
    reference = exact / (exact.square().mean(-1, keepdim=True) + norm.eps).sqrt() * weight
    assert_equal_with_gradients(norm(x), reference, [x, norm.weight], [exact, weight])
    with torch.no_grad():
        assert torch.allclose(norm(x).double(), reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("heads", "frequencies", "dim"), [(1, 1, 18), (3, 3, 64)])
def test_rotation_matches_complex_multiplication(heads: int, frequencies: int, dim: int) -> None:
    """On a transposed view, as attention uses it."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, heads, dim, generator=generator).transpose(1, 2).requires_grad_()
    vertices = torch.randn(2, 5, 9, generator=generator)
    cos, sin = rope_rotation(vertices, torch.arange(1.0, frequencies + 1), dim)
    exact = x.detach().double().requires_grad_()
    rotated = torch.complex(*exact.chunk(2, -1)) * torch.complex(cos.double(), sin.double())[:, None]
    reference = torch.cat([rotated.real, rotated.imag], -1)
    assert_equal_with_gradients(rotate(x, (cos, sin)), reference, [x], [exact])


def test_positions_get_gradients_if_they_require_them() -> None:
    x = torch.randn(1, 1, 2, 18, generator=torch.Generator().manual_seed(0))
    vertices = torch.zeros(1, 2, 9).requires_grad_()
    (gradient,) = torch.autograd.grad(rotate(x, rope_rotation(vertices, torch.ones(1), 18)).sum(), vertices)
    first, second = x[0, 0].chunk(2, -1)
    assert torch.allclose(gradient[0], first - second)
