"""How good the model is on scenes that it was not trained on, in numbers and as a picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rfcli.dataset.training_scene import TrainingScene
from rfcli.metrics.similarity import psnr, structural_similarity
from rfcli.model import RenderFormer
from rfcli.pictures.images import contact_sheet, to_display, write_png
from rfcli.training.batch import collate

SCENES_IN_GRID = 6


@dataclass(frozen=True)
class Validation:
    """Means over all views of all validation scenes.

    psnr in dB and ssim, on clamp(log2(1 + radiance), 0, 1). psnr_without_attention: the same with the attention of the
    view-independent stage silenced; where it is no lower than psnr, light transport is not being learned there.
    """

    psnr: float
    ssim: float
    psnr_without_attention: float

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in vars(self).items()}


@torch.no_grad()
def predict(model: RenderFormer, scene: TrainingScene, resolution: int) -> tuple[Tensor, Tensor]:
    """log10(1 + radiance) [V, H, H, 3] as predicted and as it is, in float32."""
    batch = collate([scene], next(model.parameters()).device)
    prediction = model(batch.scenes, batch.c2w, batch.fov, resolution, batch.visible)
    return prediction[0].float(), batch.truth[0]


def validate(model: RenderFormer, scenes: list[TrainingScene], resolution: int) -> Validation:
    """Validation of `model` (left in the mode it was in)."""
    training = model.training
    model.eval()
    scores = []
    for scene in scenes:
        prediction, truth = predict(model, scene, resolution)
        with silenced_attention(model):
            deaf, _ = predict(model, scene, resolution)
        scores.append(
            torch.stack([psnr(prediction, truth), structural_similarity(prediction, truth), psnr(deaf, truth)])
        )
    model.train(training)
    return Validation(*torch.cat(scores, 1).mean(1).tolist())


@contextmanager
def silenced_attention(model: RenderFormer) -> Iterator[None]:
    """Within, no triangle hears of any other: the attention branches of the view-independent stage give zero."""
    hooks = [
        attention.register_forward_hook(lambda _module, _inputs, output: torch.zeros_like(output))
        for attention in model.transformer.attentions()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def write_grid(model: RenderFormer, scenes: list[TrainingScene], resolution: int, path: Path) -> None:
    """A picture of truth | prediction pairs, one scene's first two views a row."""
    training = model.training
    model.eval()
    tiles = []
    for scene in scenes[:SCENES_IN_GRID]:
        prediction, truth = predict(model, scene, resolution)
        for view in range(min(2, len(truth))):
            tiles += [to_display(radiance(image[view])) for image in (truth, prediction)]
    model.train(training)
    write_png(path, contact_sheet(tiles, columns=4))


def radiance(x: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Linear radiance from log10(1 + radiance)."""
    return (torch.pow(10.0, x) - 1).clamp_min(0).cpu().numpy()  # type: ignore[no-any-return]
