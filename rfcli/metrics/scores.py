"""All metrics of one image against its reference."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from rfcli.metrics.flip import Floats, hdr_flip
from rfcli.metrics.perceptual import LPIPS, backbone_on_disk
from rfcli.metrics.similarity import log_radiance, low_dynamic_range, psnr, ssim


@dataclass(frozen=True)
class Scores:
    """Metrics of one image.

    Attributes:
        psnr: Decibels, on clamp(log2(1 + radiance), 0, 1).
        ssim: On the same scale, 1 for equal images.
        flip: HDR-FLIP, 0 for images that look equal.
        lpips: On the same scale as psnr, 0 for equal images; None if its backbone is not on disk.
    """

    psnr: float
    ssim: float
    flip: float
    lpips: float | None

    def as_dict(self) -> dict[str, float]:
        """The metrics that were measured, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def line(self) -> str:
        """The metrics as one line of text."""
        parts = [f"PSNR {self.psnr:.2f} dB", f"SSIM {self.ssim:.3f}", f"FLIP {self.flip:.3f}"]
        return ", ".join(parts if self.lpips is None else [*parts, f"LPIPS {self.lpips:.3f}"])


@torch.no_grad()
def score(image: Floats, reference: Floats) -> tuple[Scores, Floats]:
    """Compare an image with its reference.

    Args:
        image: [H, W, 3] linear radiance.
        reference: [H, W, 3] linear radiance.

    Returns:
        All metrics, and the error map of HDR-FLIP [H, W, 3] in magma colours.
    """
    a, b = (log_radiance(torch.from_numpy(np.maximum(x, 0)))[None] for x in (image, reference))
    flip, error_map = hdr_flip(image, reference)
    distance = lpips()
    lpips_value = distance(low_dynamic_range(a), low_dynamic_range(b)).item() if distance else None
    return Scores(psnr(a, b).item(), ssim(a, b).item(), flip, lpips_value), error_map


@cache
def lpips() -> LPIPS | None:
    """The LPIPS network, created once; None if its backbone is not on disk."""
    path = backbone_on_disk()
    return LPIPS(path) if path else None
