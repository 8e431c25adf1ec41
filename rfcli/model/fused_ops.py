"""Two operations whose gradients torch's CPU code makes of many small ones, each a pass over memory; here of few.

A third of a training step of a small model on a CPU went into them.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


def rms_norm_for_training(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight. x [..., C], weight [C], float32; differentiable once."""
    return cast(Tensor, _RMSNorm.apply(x, weight, eps))


def rotate_for_training(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Channel pairs (i, i + D / 2) turned: (a cos - b sin, b cos + a sin). x [B, H, N, D] float32; cos and sin
    [B, 1, N, D / 2], which get no gradient; differentiable once."""
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
        along = torch.linalg.vecdot(weighted, normed)[..., None].div_(-x.shape[-1])
        by_weight = (gradient * normed).flatten(0, -2).sum(0)
        return weighted.addcmul_(normed, along).mul_(inverse), by_weight, None


class _Rotation(torch.autograd.Function):
    """The gradient turns back by the same angles."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(gradient, cos, sin, -1.0), None, None


def _turned(x: Tensor, cos: Tensor, sin: Tensor, sign: float) -> Tensor:
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    for part, first, second, way in zip(
        out.chunk(2, -1), x.chunk(2, -1), reversed(x.chunk(2, -1)), (-sign, sign), strict=True
    ):
        torch.mul(first, cos, out=part)
        part.addcmul_(second, sin, value=way)
    return out
