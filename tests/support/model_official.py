"""Small models of the official architecture with random weights, and recorded outputs of the official code."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rfcli.model import RenderFormer, RenderFormerConfig
from tests.support.model_scenes import cameras

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
LARGE_GOLDEN = Path(os.environ.get("RF_PARITY", ROOT.parent / "shared" / "parity"))  # recordings too large for git
TOLERANCE = 1e-4  # of the largest reference value

SMALL_OFFICIAL = RenderFormerConfig(
    latent_dim=72,
    num_heads=2,
    dim_feedforward=80,
    num_layers=2,
    num_register_tokens=3,
    texture_encode_patch_size=1,
    vertex_pe_num_freqs=4,
    view_transformer_latent_dim=72,
    view_transformer_n_heads=2,
    view_transformer_ffn_hidden_dim=48,
    view_transformer_n_layers=4,
    dpt_features=8,
    dpt_out_channels=(6, 8, 10, 12),
)


def deviation(image: Tensor, reference: Tensor) -> float:
    """Largest difference, relative to the largest reference value."""
    return float((image - reference).abs().max() / reference.abs().max())


def random_model(**changes: Any) -> RenderFormer:
    """A model with changed config fields. Every tensor is random, so that each one affects the image."""
    generator = torch.Generator().manual_seed(7)
    model = RenderFormer(dataclasses.replace(SMALL_OFFICIAL, **changes))
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "token" in name and parameter.dim() == 3:
            parameter.data = noise
        elif "norm" in name and name.endswith("weight"):
            parameter.data = 1 + 0.3 * noise
        elif name.endswith("bias"):
            parameter.data = 0.2 * noise
        else:
            parameter.data = noise / parameter[0].numel() ** 0.5
    return model.eval()


def random_scenes(config: RenderFormerConfig) -> dict[str, Tensor]:
    """Arguments of `rfcli.render`: scenes of 9 and 6 triangles, two views each, textures that vary over a triangle."""
    generator = torch.Generator().manual_seed(3)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    patch = config.texture_encode_patch_size
    texture = uniform(2, 9, config.texture_channels, patch, patch)
    texture[:, 0, -3:] *= 50
    c2w, fov = cameras(scenes=2, views=2)
    c2w[1, :, 2, 3] += 0.3
    return {
        "triangles": uniform(2, 9, 1, 3) - 0.5 + 0.3 * (uniform(2, 9, 3, 3) - 0.5),
        "vn": torch.nn.functional.normalize(uniform(2, 9, 3, 3) - 0.5, dim=-1),
        "mask": torch.arange(9) < torch.tensor([[9], [6]]),
        "texture": texture,
        "c2w": c2w,
        "fov": fov + torch.tensor([[0.0, 7.0], [15.0, -9.0]]),
    }
