"""Environment maps as inputs of RenderFormer-V2: latents of two tone curves, the strength, and directions.

A map is [3, 256, 512] radiance by latitude and longitude, +Z up: row i and column j see the direction of polar angle
theta = pi (i + 0.5) / 256 and azimuth phi = 2 pi (0.5 - (j + 0.5) / 512). The middle column looks along +X, and azimuth
falls to the right.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rfcli.errors import InputError
from rfcli.model.v2.vae import ImageEncoder

HEIGHT, WIDTH = 256, 512
STRENGTH_EPSILON = 1e-8  # of the public code


def direction_map(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """[height, width, 3] unit direction that each pixel of a map shows."""
    theta = math.pi * (torch.arange(height, dtype=torch.float64) + 0.5) / height
    phi = 2 * math.pi * (0.5 - (torch.arange(width, dtype=torch.float64) + 0.5) / width)
    sine, cosine = theta.sin()[:, None], theta.cos()[:, None]
    return torch.stack([sine * phi.cos(), sine * phi.sin(), cosine.expand(-1, width)], -1).float()


def resized_map(radiance: Tensor) -> Tensor:
    """A map of any size [3, H, W] as [3, 256, 512]: averaged if it is larger along both axes, else bilinear.

    Raises InputError if values are negative or not finite.
    """
    if radiance.dim() != 3 or len(radiance) != 3:
        raise InputError(f"`environment` has shape {list(radiance.shape)}, expected [3, H, W].")
    if not (bool(radiance.isfinite().all()) and bool((radiance >= 0).all())):
        raise InputError("`environment` holds negative or infinite radiance; repair the file.")
    height, width = radiance.shape[1:]
    if (height, width) == (HEIGHT, WIDTH):
        return radiance
    if height >= HEIGHT and width >= WIDTH:
        return F.interpolate(radiance[None], (HEIGHT, WIDTH), mode="area")[0]
    wrapped = torch.cat([radiance[..., -1:], radiance, radiance[..., :1]], -1)  # the left edge meets the right one
    columns = ((torch.arange(WIDTH) + 0.5) * width / WIDTH + 0.5).to(radiance)
    left = columns.floor().long().clamp(max=width)
    share = columns - left
    stretched = wrapped[..., left] * (1 - share) + wrapped[..., left + 1] * share
    return F.interpolate(stretched[None], (HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0]


def tone_curves(radiance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The two images of a map that are encoded, and its strength.

    Args:
        radiance: [3, H, W].

    Returns:
        [3, H, W] radiance clamped to 0..1; [3, H, W] log10(1 + radiance) divided by its maximum; the maximum.
    """
    logarithm = torch.log10(1 + radiance)
    strength = logarithm.max()
    return radiance.clamp(0, 1), logarithm / (strength + STRENGTH_EPSILON), strength


def environment_inputs(radiance: Tensor | None, vae: ImageEncoder) -> dict[str, Tensor]:
    """The network's inputs for the environment of one scene.

    Args:
        radiance: [3, H, W] rotated as in the scene, times its strength; None: a black map, which is how the published
            pipeline represents a scene without environment.
        vae: The autoencoder.

    Returns:
        env_latent_ldr and env_latent_hdr [1, 16, 32, 64], env_lighting_strength [1], env_ray_dir [1, 256, 512, 3].

    Raises:
        InputError: The map has another shape, or values that are no radiance.
    """
    radiance = torch.zeros(3, HEIGHT, WIDTH) if radiance is None else resized_map(radiance.float())
    low, high, strength = tone_curves(radiance)
    latents = vae(2 * torch.stack([low, high]) - 1)
    return {
        "env_latent_ldr": latents[:1],
        "env_latent_hdr": latents[1:],
        "env_lighting_strength": strength[None],
        "env_ray_dir": direction_map()[None],
    }
