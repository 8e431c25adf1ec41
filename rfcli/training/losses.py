"""The loss, as published: L1 on log radiance, plus a perceptual term on the tone-mapped images."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rfcli.metrics.perceptual import Perceptual
from rfcli.metrics.tone import low_dynamic_range
from rfcli.model import RenderFormer
from rfcli.model.device import rounds_views
from rfcli.training.batch import TrainingBatch
from rfcli.training.transfer import transfer_loss

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


def step_loss(
    model: RenderFormer,
    teacher: RenderFormer | None,
    batch: TrainingBatch,
    perceptual: Perceptual,
    precision: torch.dtype,
) -> dict[str, Tensor]:
    """What a step descends, "loss", and its terms by name. teacher: where the step is one of attention transfer.

    precision: of the matrix products, on graphics cards of those of the view-independent stage only, as published; the
    loss itself is always float32.
    """
    device, resolution = batch.truth.device.type, batch.truth.shape[2]
    rounded = precision != torch.float32
    with torch.autocast(device, dtype=precision, enabled=rounded):
        if teacher is not None:
            loss = transfer_loss(model, teacher, batch.scenes)
            return {"loss": loss, "transfer": loss}
        tokens = model.view_independent(batch.scenes)
    with torch.autocast(device, dtype=precision, enabled=rounded and rounds_views(device)):
        scenes = model.lit(batch.scenes, tokens.float())
        prediction = model.view_dependent(scenes, batch.c2w, batch.fov, resolution, batch.visible)
    terms = image_loss(prediction.float(), batch.truth, perceptual)
    return {"loss": terms.total, "log_l1": terms.log_l1, perceptual.name: terms.perceptual}


class StepLoss(nn.Module):
    """`step_loss` of a model as one module, by whose call all that a step uses of a sharded model is used."""

    def __init__(self, model: RenderFormer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        teacher: RenderFormer | None,
        batch: TrainingBatch,
        perceptual: Perceptual,
        precision: torch.dtype,
    ) -> dict[str, Tensor]:
        return step_loss(self.model, teacher, batch, perceptual, precision)
