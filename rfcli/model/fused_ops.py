"""RMSNorm and RoPE with hand-written backward passes, for training on CPUs.

The backward passes that torch's autograd derives consist of many small operations, each a pass over memory. They took a
third of a training step of a small model on a CPU; these take few passes.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


def rms_norm_for_training(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight for x [..., C] and weight [C], float32; differentiable once."""
    return cast(Tensor, _RMSNorm.apply(x, weight, eps))


def rotate_for_training(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates channel pairs (a, b) = (i, i + D / 2): (a cos - b sin, b cos + a sin); differentiable once.

    x [B, H, N, D] float32; cos and sin [B, 1, N, D / 2] receive no gradient.
    """
    return cast(Tensor, _Rotation.apply(x, cos, sin))


class _RMSNorm(torch.autograd.Function):
    """With n = x / rms: dx = (w g - n mean(n w g)) / rms, dw = sum of n g over all tokens."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        squares = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_()
        inverse = squares.div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, inverse, weight)
        out: Tensor = (x * inverse).mul_(weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, inverse, weight = ctx.saved_tensors
        normed = x * inverse
        weighted = gradient * weight
        projection = torch.linalg.vecdot(weighted, normed)[..., None].div_(-x.shape[-1])
        weight_gradient = (gradient * normed).flatten(0, -2).sum(0)
        return weighted.addcmul_(normed, projection).mul_(inverse), weight_gradient, None


class _Rotation(torch.autograd.Function):
    """The gradient is rotated by the opposite angles."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _rotated(x, cos, sin, 1.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _rotated(gradient, cos, sin, -1.0), None, None


def _rotated(x: Tensor, cos: Tensor, sin: Tensor, sign: float) -> Tensor:
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    for half, first, second, factor in zip(
        out.chunk(2, -1), x.chunk(2, -1), reversed(x.chunk(2, -1)), (-sign, sign), strict=True
    ):
        torch.mul(first, cos, out=half)
        half.addcmul_(second, sin, value=factor)
    return out
