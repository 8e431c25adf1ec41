"""The scales on which images are compared. x is always log10(1 + radiance), what the network predicts."""

import math

import torch
from torch import Tensor

LOG2_10 = math.log2(10)


def log_radiance(radiance: Tensor) -> Tensor:
    """log10(1 + radiance)."""
    return torch.log10(1 + radiance)


def low_dynamic_range(x: Tensor) -> Tensor:
    """clamp(log2(1 + radiance), 0, 1), the published tone mapping; differentiable between its ends."""
    return (x * LOG2_10).clamp(0, 1)
