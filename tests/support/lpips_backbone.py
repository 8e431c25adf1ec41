"""A backbone for LPIPS with random weights, in torchvision's format."""

from pathlib import Path

import torch

# Convolutions of VGG-16: (index in torchvision's `features`, input channels, output channels)
CONVOLUTIONS = (
    (0, 3, 64),
    (2, 64, 64),
    (5, 64, 128),
    (7, 128, 128),
    (10, 128, 256),
    (12, 256, 256),
    (14, 256, 256),
    (17, 256, 512),
    (19, 512, 512),
    (21, 512, 512),
    (24, 512, 512),
    (26, 512, 512),
    (28, 512, 512),
)


def write_backbone(path: Path) -> Path:
    """Write random weights of a scale (He et al. 2015) that keeps the size of activations; returns the path."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for layer, inputs, outputs in CONVOLUTIONS:
        shape = (outputs, inputs, 3, 3)
        weights[f"features.{layer}.weight"] = torch.randn(shape, generator=generator) * (2 / (9 * inputs)) ** 0.5
        weights[f"features.{layer}.bias"] = torch.zeros(outputs)
    torch.save(weights, path)
    return path
