"""Quality of a model on held-out scenes: numbers, and images next to the truth."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rfcli.dataset.training_scene import TrainingScene
from rfcli.metrics.similarity import psnr, ssim
from rfcli.model import RenderFormer
from rfcli.training.batch import collate

EXAMPLE_SCENES, EXAMPLE_VIEWS = 6, 2  # at most

ImagePair = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]  # truth and prediction [H, H, 3], linear radiance


@dataclass(frozen=True)
class Validation:
    """Means over all views of all validation scenes, on clamp(log2(1 + radiance), 0, 1).

    Attributes:
        psnr: Peak signal-to-noise ratio in dB.
        ssim: Structural similarity.
        psnr_without_attention: PSNR in dB with the attention of the view-independent stage disabled. If it is as high
            as `psnr`, the stage has not learned light transport.
    """

    psnr: float
    ssim: float
    psnr_without_attention: float

    def as_dict(self) -> dict[str, float]:
        """The numbers by name, rounded."""
        return {name: round(value, 4) for name, value in vars(self).items()}


def validate(model: RenderFormer, scenes: list[TrainingScene], resolution: int) -> Validation:
    """Measure the quality of a model.

    Args:
        model: The model; its training mode is restored.
        scenes: Scenes with images at `resolution`.
        resolution: Side of the images in pixels.

    Returns:
        The means over all views.
    """
    scores = []
    with evaluating(model):
        for scene in scenes:
            prediction, truth = predict(model, scene, resolution)
            with attention_disabled(model):
                without, _ = predict(model, scene, resolution)
            scores.append(torch.stack([psnr(prediction, truth), ssim(prediction, truth), psnr(without, truth)]))
    return Validation(*torch.cat(scores, 1).mean(1).tolist())


@torch.no_grad()
def predict(model: RenderFormer, scene: TrainingScene, resolution: int) -> tuple[Tensor, Tensor]:
    """Prediction and truth, log10(1 + radiance) [V, H, H, 3] in float32."""
    batch = collate([scene], next(model.parameters()).device)
    scenes = model.encode(batch.scenes, model.view_independent(batch.scenes))
    prediction = model.view_dependent(scenes, batch.c2w, batch.fov, resolution, batch.visible, batch.samples)
    return prediction[0].float(), batch.truth[0]


def example_images(model: RenderFormer, scenes: list[TrainingScene], resolution: int) -> list[ImagePair]:
    """Truth and prediction of the first views of the first scenes."""
    pairs = []
    with evaluating(model):
        for scene in scenes[:EXAMPLE_SCENES]:
            prediction, truth = predict(model, scene, resolution)
            for view in range(min(EXAMPLE_VIEWS, len(truth))):
                pairs.append((radiance(truth[view]), radiance(prediction[view])))
    return pairs


@contextmanager
def attention_disabled(model: RenderFormer) -> Iterator[None]:
    """Sets the output of every attention layer of the view-independent stage to zero."""
    hooks = [
        attention.register_forward_hook(lambda _module, _inputs, output: torch.zeros_like(output))
        for attention in model.transformer.attentions()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def evaluating(model: RenderFormer) -> Iterator[None]:
    """Evaluation mode; the mode before is restored."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def radiance(x: Tensor) -> npt.NDArray[np.float32]:
    """Linear radiance from log10(1 + radiance)."""
    return (torch.pow(10.0, x) - 1).clamp_min(0).cpu().numpy()  # type: ignore[no-any-return]
