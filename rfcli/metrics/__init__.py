"""Image metrics: PSNR, SSIM, LPIPS, HDR-FLIP, and the tone mapping that they are computed on.

Importing this package does not import torch; each name below is imported on first use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfcli.metrics.flip import hdr_flip
    from rfcli.metrics.perceptual import PerceptualMetric, perceptual_metric
    from rfcli.metrics.scores import Scores, score
    from rfcli.metrics.similarity import log_radiance, low_dynamic_range, psnr, ssim

__all__ = [
    "PerceptualMetric",
    "Scores",
    "hdr_flip",
    "log_radiance",
    "low_dynamic_range",
    "perceptual_metric",
    "psnr",
    "score",
    "ssim",
]

_MODULES = {
    "hdr_flip": "flip",
    **dict.fromkeys(("PerceptualMetric", "perceptual_metric"), "perceptual"),
    **dict.fromkeys(("Scores", "score"), "scores"),
    **dict.fromkeys(("log_radiance", "low_dynamic_range", "psnr", "ssim"), "similarity"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
