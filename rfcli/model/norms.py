"""The norms that a config can ask for, always computed in float32."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LAYER_EPS = 1e-6  # inside the layers of both transformers, whatever the norm
# Behind the encoders, where the official models leave torch's own defaults as they are.
ENCODER_EPS = {"rms_norm": torch.finfo(torch.float32).eps, "layer_norm": 1e-5, "none": 0.0}


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight, over the last axis (Zhang & Sennrich, arXiv 1910.07467)."""

    def __init__(self, dim: int, eps: float = LAYER_EPS) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return _RMSNorm.apply(x.float(), self.weight.float(), self.eps).to(x.dtype)  # type: ignore[no-any-return]
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.eps).to(x.dtype)


class _RMSNorm(torch.autograd.Function):
    """RMSNorm for training: torch takes its gradient through every elementary step, each a pass through memory, of
    which a step of training has no more costly ones beside its products.

    With u = x s, s = 1 / sqrt(mean(x^2) + eps) and the gradient g of u w:
        dw = sum over tokens of g u          dx = s (g w - u mean(g w u))
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        scale: Tensor = mean_square.add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        unit = x * scale
        of_weight = gradient * unit
        shared = (of_weight @ weight).div_(x.shape[-1])[..., None]
        of_x = (gradient * weight).addcmul_(unit, shared, value=-1).mul_(scale)
        return of_x, of_weight.flatten(0, -2).sum(0), None


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) * weight + bias, over the last axis (Ba et al., arXiv 1607.06450)."""

    def __init__(self, dim: int, eps: float = LAYER_EPS) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.float(), self.bias.float()
        return F.layer_norm(x.float(), self.weight.shape, weight, bias, self.eps).to(x.dtype)


def layer_norm(kind: str, dim: int) -> nn.Module:
    """A norm inside a transformer's layer. kind: rms_norm or layer_norm."""
    return _NORMS[kind](dim, LAYER_EPS)


def encoder_norm(kind: str, dim: int) -> nn.Module:
    """The norm behind an encoder of positions, normals, materials or rays. kind: rms_norm, layer_norm or none."""
    return nn.Identity() if kind == "none" else _NORMS[kind](dim, ENCODER_EPS[kind])


_NORMS: dict[str, type[RMSNorm] | type[LayerNorm]] = {"rms_norm": RMSNorm, "layer_norm": LayerNorm}
