"""All metrics of one image against another."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from rfcli.metrics.flip import Floats, hdr_flip
from rfcli.metrics.perceptual import LPIPS, backbone_on_disk
from rfcli.metrics.similarity import psnr, structural_similarity
from rfcli.metrics.tone import log_radiance, low_dynamic_range


@dataclass(frozen=True)
class Scores:
    """psnr (dB), ssim and lpips on clamp(log2(1 + radiance), 0, 1), flip on HDR; lpips None: its backbone is absent."""

    psnr: float
    ssim: float
    flip: float
    lpips: float | None

    def as_dict(self) -> dict[str, float]:
        """Those that were measured."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def line(self) -> str:
        """For people."""
        parts = [f"PSNR {self.psnr:.2f} dB", f"SSIM {self.ssim:.3f}", f"FLIP {self.flip:.3f}"]
        return ", ".join(parts if self.lpips is None else [*parts, f"LPIPS {self.lpips:.3f}"])


@torch.no_grad()
def score(image: Floats, reference: Floats) -> tuple[Scores, Floats]:
    """Scores of an image [H, W, 3], linear radiance, and the map of HDR-FLIP [H, W, 3] in colours."""
    a, b = (log_radiance(torch.from_numpy(np.maximum(x, 0)))[None] for x in (image, reference))
    flip, error = hdr_flip(image, reference)
    distance = lpips()
    lpips_value = distance(low_dynamic_range(a), low_dynamic_range(b)).item() if distance else None
    return Scores(psnr(a, b).item(), structural_similarity(a, b).item(), flip, lpips_value), error


@cache
def lpips() -> LPIPS | None:
    """The network, made once; None where its backbone is not on disk."""
    path = backbone_on_disk()
    return LPIPS(path) if path else None
