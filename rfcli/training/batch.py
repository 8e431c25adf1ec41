"""Scenes of different sizes as one padded batch of tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rfcli.dataset.training_scene import TrainingScene
from rfcli.metrics.tone import log_radiance
from rfcli.model import SceneBatch


@dataclass(frozen=True)
class TrainingBatch:
    """B scenes with V views each.

    scenes: the triangles. c2w [B, V, 4, 4], fov [B, V]. truth [B, V, H, H, 3]: log10(1 + radiance).
    visible [B, V, H, H] int64: what each pixel sees, -1 for nothing; None where the model does not ask.
    """

    scenes: SceneBatch
    c2w: Tensor
    fov: Tensor
    truth: Tensor
    visible: Tensor | None


def collate(scenes: Sequence[TrainingScene], device: torch.device, monochrome: bool = False) -> TrainingBatch:
    """Stack scenes with the same number of views, padding their triangles to the longest.

    monochrome: whether every colour of theirs is known to be grey.
    """
    longest = max(len(scene.triangles) for scene in scenes)

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(scene, name) for scene in scenes])).to(device)

    def padded(name: str) -> Tensor:
        first = getattr(scenes[0], name)
        out = np.zeros((len(scenes), longest, *first.shape[1:]), dtype=np.float32)
        for row, scene in zip(out, scenes, strict=True):
            row[: len(scene.triangles)] = getattr(scene, name)
        return torch.from_numpy(out).to(device)

    lengths = torch.tensor([len(scene.triangles) for scene in scenes])
    mask = (torch.arange(longest) < lengths[:, None]).to(device)
    batch = SceneBatch(padded("triangles"), padded("vn"), mask, material=padded("material"), monochrome=monochrome)
    visible = stack("visible").long() if scenes[0].visible is not None else None
    return TrainingBatch(batch, stack("c2w"), stack("fov"), log_radiance(stack("images").float()), visible)
