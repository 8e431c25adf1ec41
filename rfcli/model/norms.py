"""The norms that a config can ask for, always computed in float32."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rfcli.model.in_few_passes import rms_norm_for_training

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
        if x.device.type == "cpu" and torch.is_grad_enabled():
            return rms_norm_for_training(x.float(), self.weight.float(), self.eps).to(x.dtype)
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.eps).to(x.dtype)


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
