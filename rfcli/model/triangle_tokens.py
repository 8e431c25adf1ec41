"""A triangle becomes a token: its material, its vertex normals and, in the rotation of RoPE, its place."""

import torch
from torch import Tensor, nn

from rfcli.errors import InputError
from rfcli.model.batch import SceneBatch, log_emission
from rfcli.model.config import RenderFormerConfig
from rfcli.model.encodings import nerf_encoding, nerf_width
from rfcli.model.layers import RMSNorm


def encode_surface(encoder: nn.Linear, batch: SceneBatch, config: RenderFormerConfig) -> Tensor:
    """[B, N, C] embedding of every triangle's material by a linear map over 13 x patch x patch texture values.

    Emission enters as log10(1 + e), or as it is where the model learned LDR images. Raises InputError where the
    batch's materials have other channels, or textures another size, than the model reads.

    A constant material m over the texture's triangular mask needs no texture: W (m x mask) = (W . mask) m, a map of 13
    numbers in place of 13,312.
    """
    patch, channels = config.texture_encode_patch_size, config.texture_channels
    if batch.surface.shape[2] != channels:
        raise InputError(f"Materials have {batch.surface.shape[2]} channels; this model reads {channels}.")
    encoded = batch.surface if config.use_ldr else log_emission(batch.surface)
    if batch.material is not None:
        weight = encoder.weight.view(-1, channels, patch, patch)
        collapsed = (weight * triangular_mask(patch).to(weight)).sum((-1, -2))
        return nn.functional.linear(encoded, collapsed, encoder.bias)
    texture = encoded[..., :1, :1] if patch == 1 else encoded
    if tuple(texture.shape[3:]) != (patch, patch):
        raise InputError(f"texture is {texture.shape[-1]} pixels wide; this model reads {patch}.")
    return encoder(texture.flatten(2))  # type: ignore[no-any-return]


def triangular_mask(patch: int) -> Tensor:
    """[patch, patch] 1 where a texture holds the triangle (x + y <= patch), 0 elsewhere."""
    x = torch.arange(patch)
    return (x[:, None] + x <= patch).float()


class TokenPositions(nn.Module):
    """Encoded vertex positions, added to the tokens: RoPE tells only where a key is relative to a query, and values
    carry no place at all, so that the direction to a light would have to be read off the attention weights."""

    def __init__(self, dim: int, frequencies: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.tri_encoding_proj = nn.Linear(nerf_width(9, frequencies), dim)
        self.tri_encoding_norm = RMSNorm(dim)

    def forward(self, triangles: Tensor) -> Tensor:
        """[B, N, 3, 3] -> [B, N, C]."""
        encoded = nerf_encoding(triangles.flatten(2), self.frequencies)
        return self.tri_encoding_norm(self.tri_encoding_proj(encoded))  # type: ignore[no-any-return]
