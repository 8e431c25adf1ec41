"""Tokens of triangles: embeddings of material, vertex normals and, in some configs, vertex positions.

With RoPE the position of a triangle enters attention as a rotation of queries and keys (`rfcli.model.encodings`).
"""

import torch
from torch import Tensor, nn

from rfcli.errors import InputError
from rfcli.model.batch import EMISSION, SceneBatch
from rfcli.model.chunked import chunked
from rfcli.model.config import RenderFormerConfig
from rfcli.model.encodings import nerf_encoding, nerf_width
from rfcli.model.layers import RMSNorm, encoder_norm


class TriangleTokens(nn.Module):
    """Register tokens and triangle embeddings.

    `RenderFormer` inherits from this class instead of holding it, so that the parameters have the published names.
    """

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__()
        dim = config.latent_dim
        self.config = config
        self.tri_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.reg_tokens = nn.Parameter(torch.zeros(1, config.num_register_tokens, dim))
        if config.pe_type == "nerf":
            self.tri_encoding_proj = nn.Linear(nerf_width(9, config.vertex_pe_num_freqs), dim)
            self.tri_encoding_norm = encoder_norm(config.vn_encoder_norm_type, dim)
        if config.use_vn_encoder:
            self.vn_encoding_proj = nn.Linear(nerf_width(9, config.vn_pe_num_freqs), dim)
            self.vn_encoder_norm = encoder_norm(config.vn_encoder_norm_type, dim)
        self.texture_encoder = nn.Linear(config.texture_channels * config.texture_encode_patch_size**2, dim)
        self.texture_encoder_norm = encoder_norm(config.texture_encoder_norm_type, dim)
        frequencies = config.token_position_freqs
        self.token_positions = None if frequencies is None else TokenPositions(dim, frequencies)

    def tokens(self, batch: SceneBatch) -> Tensor:
        """[B, R + N, C] register tokens, then triangle embeddings: the input of the view-independent layers."""
        config = self.config
        with torch.autocast(batch.surface.device.type, enabled=False):  # bf16 would round emission by 1 %
            surface = encode_surface(self.texture_encoder, batch, config)

        def embed(part: slice) -> list[Tensor]:
            triangles = self.tri_token + self.texture_encoder_norm(surface[:, part])
            if config.use_vn_encoder:
                normals = nerf_encoding(batch.vn[:, part].flatten(2), config.vn_pe_num_freqs)
                triangles = triangles + self.vn_encoder_norm(self.vn_encoding_proj(normals))
            if config.pe_type == "nerf":
                positions = nerf_encoding(batch.triangles[:, part].flatten(2), config.vertex_pe_num_freqs)
                triangles = triangles + self.tri_encoding_norm(self.tri_encoding_proj(positions))
            if self.token_positions is not None:
                triangles = triangles + self.token_positions(batch.triangles[:, part])
            return [triangles]

        (triangles,) = chunked(embed, surface)
        return torch.cat([self.reg_tokens.expand(len(triangles), -1, -1).to(triangles), triangles], 1)


class TokenPositions(nn.Module):
    """An encoding of the vertex positions that is added to the tokens.

    RoPE encodes only positions of keys relative to queries, and nothing in the values. Without this encoding, the
    direction to an emitter could only be inferred from the attention weights.
    """

    def __init__(self, dim: int, frequencies: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.tri_encoding_proj = nn.Linear(nerf_width(9, frequencies), dim)
        self.tri_encoding_norm = RMSNorm(dim)

    def forward(self, triangles: Tensor) -> Tensor:
        """[B, N, 3, 3] -> [B, N, C]."""
        encoded = nerf_encoding(triangles.flatten(2), self.frequencies)
        return self.tri_encoding_norm(self.tri_encoding_proj(encoded))  # type: ignore[no-any-return]


def encode_surface(encoder: nn.Linear, batch: SceneBatch, config: RenderFormerConfig) -> Tensor:
    """[B, N, C] embedding of every triangle's material: a linear map W of its 13 x P x P texture values.

    Emission enters as log10(1 + e), or unchanged if the model was trained on LDR images. A constant material m over the
    triangular mask of the texture needs no texture: W (m x mask) = (W . mask) m, a map of 13 numbers in place of
    13,312.

    Args:
        encoder: The map W.
        batch: Scenes with materials or textures.
        config: The model's config.

    Returns:
        The embeddings, before their norm.

    Raises:
        InputError: The materials have another number of channels, or the textures another size, than the model reads.
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
        height, width = texture.shape[3:]
        raise InputError(f"`texture` is {height} x {width} texels; this model reads {patch} x {patch}.")
    return encoder(texture.flatten(2))  # type: ignore[no-any-return]


def log_emission(surface: Tensor) -> Tensor:
    """A copy of material [B, N, 13] or texture [B, N, 13, P, P] with emission e replaced by log10(1 + e)."""
    return torch.cat([surface[:, :, : EMISSION.start], torch.log10(1 + surface[:, :, EMISSION])], 2)


def triangular_mask(patch: int) -> Tensor:
    """[patch, patch] 1 inside the triangle that a texture covers (x + y <= patch), 0 elsewhere."""
    x = torch.arange(patch)
    return (x[:, None] + x <= patch).float()


def token_vertices(triangles: Tensor, mask: Tensor, registers: int) -> Tensor:
    """Vertex coordinates of all tokens; a register has all three vertices at the scene's centroid.

    Args:
        triangles: [B, N, 3, 3].
        mask: [B, N], True for the triangles of the centroid, see `centroid_mask`.
        registers: R.

    Returns:
        [B, R + N, 9].
    """
    front = scene_centroid(triangles, mask).repeat(1, 3)[:, None].expand(-1, registers, -1)
    return torch.cat([front, triangles.flatten(2)], 1)


def centroid_mask(batch: SceneBatch, config: RenderFormerConfig) -> Tensor:
    """[B, N] bool, the triangles whose centroid is the position of the registers: all real ones, as published.

    With `key_weight` = area those that do not emit, so that the number of triangles of a lamp does not move it; all, if
    there are no others.
    """
    if config.key_weight != "area":
        return batch.mask
    surfaces = batch.mask & ~batch.emitters
    return torch.where(surfaces.any(1, keepdim=True), surfaces, batch.mask)


def scene_centroid(triangles: Tensor, mask: Tensor) -> Tensor:
    """[B, 3] mean of all vertices of the triangles of a mask [B, N].

    Except for the 1e-5 that the official models add to the number of triangles. It is summed over triangles first and
    corners second, as there: NeRF encodings of high frequency (2,048 radians per unit length) depend on the rounding of
    this sum.
    """
    weight = mask.to(triangles.dtype) / (mask.sum(1, keepdim=True) + 1e-5)
    return (weight[:, :, None, None] * triangles).sum(1).mean(1)
