"""How good images are, on the tone-mapped scale clamp(log2(1 + radiance), 0, 1)."""

import torch
from einops import rearrange
from torch import Tensor

from rfcli.metrics.tone import low_dynamic_range


def psnr(prediction: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, dB: -10 log10(mean squared error).

    prediction, truth [V, H, W, 3]: log10(1 + radiance) -> [V].
    """
    error = (low_dynamic_range(prediction) - low_dynamic_range(truth)).square().flatten(1).mean(1)
    return -10 * torch.log10(error.clamp_min(1e-10))


def structural_similarity(prediction: Tensor, truth: Tensor) -> Tensor:
    """SSIM of each image, 1 for equal ones. prediction, truth [V, H, W, 3]: log10(1 + radiance) -> [V]."""
    from pytorch_msssim import ssim

    a, b = (rearrange(low_dynamic_range(x), "v h w c -> v c h w") for x in (prediction, truth))
    return ssim(a, b, data_range=1.0, size_average=False)  # type: ignore[no-any-return]
