"""Small models of RenderFormer-V2 with random weights, random scenes for them, and recordings of the official code."""

import dataclasses
import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rfcli.model.architectures import build
from rfcli.model.v2 import RenderFormerV2, RenderFormerV2Config
from tests.support.model_official import GOLDEN, ROOT
from tests.support.model_scenes import cameras

V2_GOLDEN = GOLDEN / "v2"
LARGE_V2_GOLDEN = os.environ.get("RF_PARITY_V2", str(ROOT.parent / "shared" / "parity-v2"))  # too large for git

SMALL_V2 = RenderFormerV2Config(
    latent_dim=48,
    num_heads=2,
    dim_feedforward=64,
    num_layers=2,
    num_register_tokens=3,
    texture_channels=6,
    vertex_pe_num_freqs=4,
    intra_rope_pe_num_freqs=6,
    local_attention_window_size_half=9,
    summary_block_size=8,
    envmap_latent_channels=2,
    envmap_latent_patch_size=2,
    envmap_ray_dir_map_patch_size=4,
    view_transformer_latent_dim=48,
    view_transformer_n_heads=2,
    view_transformer_ffn_hidden_dim=64,
    view_transformer_n_layers=4,
    dpt_features=8,
    dpt_out_channels=(6, 8, 10, 12),
)


def random_v2_model(**changes: Any) -> RenderFormerV2:
    """A model with changed config fields. Every tensor is random, so that each one affects the image."""
    generator = torch.Generator().manual_seed(7)
    model = build(dataclasses.replace(SMALL_V2, **changes))
    assert isinstance(model, RenderFormerV2)
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


def random_v2_scene(
    triangles: int, emitters: int = 2, volumes: int = 0, environment: bool = True, seed: int = 0
) -> dict[str, Tensor]:
    """The inputs of one scene for `network_output`, with one camera; the emitters are spread over the triangles."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(1, *shape, generator=generator)

    strength = torch.zeros(1, triangles, 3)
    strength[0, torch.randperm(triangles, generator=generator)[:emitters]] = 1.5
    c2w, fov = cameras(scenes=1, views=1)
    scene = {
        "triangles": uniform(triangles, 1, 3) - 0.5 + 0.1 * (uniform(triangles, 3, 3) - 0.5),
        "vn": torch.nn.functional.normalize(uniform(triangles, 3, 3) - 0.5, dim=-1),
        "texture": uniform(triangles, 6, 4, 4),
        "light_strength": strength,
        "mask": torch.ones(1, triangles, dtype=torch.bool),
        "c2w": c2w,
        "fov": fov,
    }
    if environment:
        scene |= {
            "env_latent_ldr": uniform(2, 4, 8),
            "env_latent_hdr": uniform(2, 4, 8),
            "env_lighting_strength": uniform(),
            "env_ray_dir": uniform(8, 16, 3),
        }
    if volumes:
        vectors = ("position", "rotation", "scale", "scattering", "absorption")
        scene |= {f"volume_{name}": uniform(volumes, 3) - 0.5 for name in vectors}
        scene |= {
            "volume_density": uniform(volumes, 64),
            "volume_mask": torch.ones(1, volumes, dtype=torch.bool),
        }
    return scene


def stacked(scenes: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """One batch of scenes with the same inputs; shorter ones are padded with values that must not be read."""
    batch = {}
    for name in scenes[0]:
        longest = max(scene[name].shape[1] if scene[name].dim() > 1 else 0 for scene in scenes)
        rows = []
        for scene in scenes:
            value = scene[name]
            missing = longest - value.shape[1] if value.dim() > 1 else 0
            fill = value.new_full((1, missing, *value.shape[2:]), 0 if value.dtype == torch.bool else 7)
            rows.append(torch.cat([value, fill], 1) if missing else value)
        batch[name] = torch.cat(rows)
    return batch


def recording(path: str) -> dict[str, Tensor]:
    """The arrays of a recorded case."""
    arrays = np.load(path)
    return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
