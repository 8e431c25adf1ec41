"""The autoencoder of RenderFormer-V2's textures with random weights, its mappers, and a checkpoint with all of them."""

from functools import cache
from pathlib import Path

import torch
from diffusers import AutoencoderKLQwenImage
from safetensors.torch import save_file

from rfcli.model import save_checkpoint
from rfcli.model.v2.mappers import SHAPES, MaterialMapper
from tests.support.v2_scenes import random_v2_model


@cache
def random_autoencoder() -> AutoencoderKLQwenImage:
    """A narrow one: 8 channels instead of 96."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return AutoencoderKLQwenImage(base_dim=8, num_res_blocks=1).eval()


def random_mapper(kind: str) -> MaterialMapper:
    with torch.random.fork_rng():
        torch.manual_seed(len(kind))
        return MaterialMapper(kind).eval()


def write_v2_checkpoint(folder: Path, subfolder: str = ".") -> Path:
    """A small network that reads latents, with its mappers and autoencoder, in the published layout."""
    published = {"texture_channels": 80, "envmap_latent_channels": 16, "envmap_latent_patch_size": 8}
    save_checkpoint(random_v2_model(**published, envmap_ray_dir_map_patch_size=64), folder / subfolder)
    for kind in SHAPES:
        (folder / f"{kind}_mapper").mkdir()
        save_file(random_mapper(kind).state_dict(), folder / f"{kind}_mapper" / "model.safetensors")
    random_autoencoder().save_pretrained(folder / "vae")
    return folder
