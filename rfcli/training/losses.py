"""The loss, as published: L1 on log radiance, plus a perceptual term on the tone-mapped images."""

from dataclasses import dataclass

from torch import Tensor

from rfcli.metrics.perceptual import Perceptual
from rfcli.metrics.tone import low_dynamic_range

PERCEPTUAL_WEIGHT = 0.05


@dataclass(frozen=True)
class ImageLoss:
    """Terms of the loss of one batch, each a scalar in the graph."""

    log_l1: Tensor
    perceptual: Tensor

    @property
    def total(self) -> Tensor:
        return self.log_l1 + PERCEPTUAL_WEIGHT * self.perceptual


def image_loss(prediction: Tensor, truth: Tensor, perceptual: Perceptual) -> ImageLoss:
    """prediction and truth [B, V, H, W, 3]: log10(1 + radiance)."""
    image, reference = (low_dynamic_range(x).flatten(0, 1) for x in (prediction, truth))
    return ImageLoss((prediction - truth).abs().mean(), perceptual(image, reference))
