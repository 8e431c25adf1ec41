"""PSNR and SSIM on tone-mapped images.

The network predicts x = log10(1 + radiance); images are compared as clamp(log2(1 + radiance), 0, 1), the published
tone mapping.
"""

import math

import torch
from einops import rearrange
from torch import Tensor

LOG2_10 = math.log2(10)
MIN_SQUARED_ERROR = 1e-10  # limits the PSNR of equal images to 100 dB


def log_radiance(radiance: Tensor) -> Tensor:
    """The scale that the network predicts.

    Args:
        radiance: Linear radiance >= 0, of any shape.

    Returns:
        log10(1 + radiance).
    """
    return torch.log10(1 + radiance)


def low_dynamic_range(x: Tensor) -> Tensor:
    """The published tone mapping, differentiable where it does not clamp.

    Args:
        x: log10(1 + radiance), of any shape.

    Returns:
        clamp(log2(1 + radiance), 0, 1).
    """
    return (x * LOG2_10).clamp(0, 1)


def psnr(prediction: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, -10 log10(mean squared error), of each image on the tone-mapped scale.

    Args:
        prediction: [V, H, W, 3] log10(1 + radiance).
        truth: [V, H, W, 3] log10(1 + radiance).

    Returns:
        [V] decibels, at most 100.
    """
    error = (low_dynamic_range(prediction) - low_dynamic_range(truth)).square().flatten(1).mean(1)
    return -10 * torch.log10(error.clamp_min(MIN_SQUARED_ERROR))


def ssim(prediction: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of each image on the tone-mapped scale.

    Args:
        prediction: [V, H, W, 3] log10(1 + radiance).
        truth: [V, H, W, 3] log10(1 + radiance).

    Returns:
        [V], 1 for equal images.
    """
    import pytorch_msssim

    a, b = (rearrange(low_dynamic_range(x), "v h w c -> v c h w") for x in (prediction, truth))
    return pytorch_msssim.ssim(a, b, data_range=1.0, size_average=False)  # type: ignore[no-any-return]
