"""Scenes of different sizes as one padded batch of tensors: on the CPU, and on the device that trains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rfcli.dataset.training_scene import TrainingScene
from rfcli.metrics.similarity import log_radiance
from rfcli.model import SceneBatch


@dataclass(frozen=True)
class TrainingBatch:
    """B scenes with V views each, on the device of the model.

    Attributes:
        scenes: The triangles.
        c2w: [B, V, 4, 4] camera poses.
        fov: [B, V] fields of view in degrees.
        truth: [B, V, H, H, 3] log10(1 + radiance).
        visible: [B, V, H samples, H samples] int64 index of the triangle that each ray hits, -1 for none; None if the
            model computes it itself, or does not use it.
        samples: Rays along a side of a pixel.
    """

    scenes: SceneBatch
    c2w: Tensor
    fov: Tensor
    truth: Tensor
    visible: Tensor | None
    samples: int = 1


@dataclass(frozen=True)
class StackedScenes:
    """B scenes with V views each as tensors on the CPU, small enough to be sent between processes.

    Attributes:
        triangles: [B, N, 3, 3], padded with zeros to the largest scene.
        vn: [B, N, 3, 3].
        material: [B, N, 13].
        mask: [B, N] bool, True for real triangles.
        c2w: [B, V, 4, 4].
        fov: [B, V] degrees.
        images: [B, V, H, H, 3] float16, linear radiance.
        visible: [B, V, H samples, H samples] int32; None if not computed.
        samples: Rays along a side of a pixel.
        monochrome: Whether all colours of the scenes are known to be grey.
        share: Share of these scenes in all scenes of the step.
        faults: A sentence for each scene that could not be read and was replaced, by its path.
    """

    triangles: Tensor
    vn: Tensor
    material: Tensor
    mask: Tensor
    c2w: Tensor
    fov: Tensor
    images: Tensor
    visible: Tensor | None
    samples: int
    monochrome: bool = False
    share: float = 1.0
    faults: tuple[tuple[str, str], ...] = ()

    def pin_memory(self) -> "StackedScenes":
        """The same in page-locked memory, from which a GPU copies by itself; called by torch's DataLoader."""
        tensors: dict[str, Any] = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **{name: tensor.pin_memory() for name, tensor in tensors.items()})

    def to(self, device: torch.device) -> TrainingBatch:
        """The batch on a device; copies from page-locked memory run while the device computes."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        # Checked on the CPU: to look at a mask on the device would wait for it.
        batch = SceneBatch(self.triangles, self.vn, self.mask, material=self.material, monochrome=self.monochrome)
        for name in ("triangles", "vn", "mask", "material"):
            object.__setattr__(batch, name, move(getattr(self, name)))
        visible = None if self.visible is None else move(self.visible).long()
        truth = log_radiance(move(self.images).float())
        return TrainingBatch(batch, move(self.c2w), move(self.fov), truth, visible, self.samples)


def stack_scenes(scenes: Sequence[TrainingScene], samples: int | None = None, **others: Any) -> StackedScenes:
    """Stack scenes with the same number of views, and pad their triangles to the largest scene.

    samples: rays along a side of a pixel; None = those of the scenes' `visible`, else 1. others: the last fields.
    """
    largest = max(len(scene.triangles) for scene in scenes)

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(scene, name) for scene in scenes]))

    def padded(name: str) -> Tensor:
        first = getattr(scenes[0], name)
        out = np.zeros((len(scenes), largest, *first.shape[1:]), dtype=np.float32)
        for row, scene in zip(out, scenes, strict=True):
            row[: len(scene.triangles)] = getattr(scene, name)
        return torch.from_numpy(out)

    lengths = torch.tensor([len(scene.triangles) for scene in scenes])
    visible = None if scenes[0].visible is None else stack("visible")
    images = stack("images")
    if samples is None:
        samples = 1 if visible is None else visible.shape[-1] // images.shape[-2]
    geometry = (padded("triangles"), padded("vn"), padded("material"), torch.arange(largest) < lengths[:, None])
    return StackedScenes(*geometry, stack("c2w"), stack("fov"), images, visible, samples, **others)


def collate(scenes: Sequence[TrainingScene], device: torch.device, monochrome: bool = False) -> TrainingBatch:
    """`stack_scenes` on a device. monochrome: whether all colours of the scenes are known to be grey."""
    return stack_scenes(scenes, monochrome=monochrome).to(device)
