"""The loss: as published, L1 on log radiance plus a perceptual term on tone-mapped images; or that of transfer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rfcli.metrics.perceptual import PerceptualMetric
from rfcli.metrics.similarity import low_dynamic_range
from rfcli.model import RenderFormer
from rfcli.training.batch import TrainingBatch
from rfcli.training.transfer import transfer_loss

PERCEPTUAL_WEIGHT = 0.05


def reduced_precision_views(device: str) -> bool:
    """Whether training computes the view-dependent stage in reduced precision, too.

    On CPUs, where a small model has half of its products in that stage. On GPUs it stays in float32 with tf32 products,
    as in the published runs, since directions and positions need it.
    """
    return device == "cpu"


@dataclass(frozen=True)
class ImageLoss:
    """Terms of the loss of one batch, each a scalar in the graph."""

    log_l1: Tensor
    perceptual: Tensor

    @property
    def total(self) -> Tensor:
        return self.log_l1 + PERCEPTUAL_WEIGHT * self.perceptual


def image_loss(prediction: Tensor, truth: Tensor, perceptual: PerceptualMetric) -> ImageLoss:
    """Loss of log10(1 + radiance); prediction and truth [B, V, H, W, 3]."""
    image, reference = (low_dynamic_range(x).flatten(0, 1) for x in (prediction, truth))
    return ImageLoss((prediction - truth).abs().mean(), perceptual(image, reference))


def step_loss(
    model: RenderFormer,
    teacher: RenderFormer | None,
    batch: TrainingBatch,
    perceptual: PerceptualMetric,
    precision: torch.dtype,
) -> dict[str, Tensor]:
    """The loss of one training step, "loss", and its terms by name.

    Args:
        model: The model in training.
        teacher: The softmax model, if the step is one of attention transfer.
        batch: B scenes with V views each.
        perceptual: The perceptual term.
        precision: Number format of matrix products. On GPUs it applies to the view-independent stage only, as
            published. The loss itself is always computed in float32.
    """
    device, resolution = batch.truth.device.type, batch.truth.shape[2]
    rounded = precision != torch.float32
    with torch.autocast(device, dtype=precision, enabled=rounded):
        if teacher is not None:
            loss = transfer_loss(model, teacher, batch.scenes)
            return {"loss": loss, "transfer": loss}
        tokens = model.view_independent(batch.scenes)
    with torch.autocast(device, dtype=precision, enabled=rounded and reduced_precision_views(device)):
        scenes = model.encode(batch.scenes, tokens.float())
        prediction = model.view_dependent(scenes, batch.c2w, batch.fov, resolution, batch.visible, batch.samples)
    terms = image_loss(prediction.float(), batch.truth, perceptual)
    return {"loss": terms.total, "log_l1": terms.log_l1, perceptual.name: terms.perceptual}


class StepLoss(nn.Module):
    """`step_loss` as a module, so that FSDP gathers the weights of a sharded model around one call."""

    def __init__(self, model: RenderFormer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        teacher: RenderFormer | None,
        batch: TrainingBatch,
        perceptual: PerceptualMetric,
        precision: torch.dtype,
    ) -> dict[str, Tensor]:
        return step_loss(self.model, teacher, batch, perceptual, precision)
