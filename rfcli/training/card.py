"""The model card: what a model is, what it was made from, and how good it is."""

import json
import platform
from typing import Any

import torch

from rfcli import __version__
from rfcli.model import RenderFormer
from rfcli.training.validation import Validation


def model_card(model: RenderFormer, made: dict[str, Any], validation: Validation | None) -> str:
    """Markdown. made: how the run was told to go, by name; validation: on the held-out split, where it was done."""
    config = model.config
    lines = [
        "---",
        "license: mit",
        "tags: [renderformer, neural-rendering, global-illumination]",
        "---",
        "# RenderFormer checkpoint",
        "",
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, attention `{config.attention}`, "
        f"visibility `{config.visibility}`, channels `{config.channels}`, light `{config.light}`, "
        f"key weight `{config.key_weight}`, "
        f"{config.num_layers} + {config.view_transformer_n_layers} layers, {config.latent_dim} wide.",
        "",
        f"Made by rf {__version__} with torch {torch.__version__} on {platform.machine()}.",
        "",
        "| option | value |",
        "|---|---|",
        *(f"| {name} | {json.dumps(value, default=str)} |" for name, value in made.items()),
    ]
    if validation is not None:
        lines += [
            "",
            "Held-out scenes, mean over views, on clamp(log2(1 + radiance), 0, 1):",
            "",
            "| PSNR | SSIM | PSNR with silenced triangle attention |",
            "|---|---|---|",
            f"| {validation.psnr:.2f} dB | {validation.ssim:.4f} | {validation.psnr_without_attention:.2f} dB |",
        ]
    return "\n".join(lines) + "\n"
