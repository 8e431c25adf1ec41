"""Tokens of RenderFormer-V2: triangles with textures, patches of an environment map, blocks of a volume."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rfcli.errors import InputError
from rfcli.model.chunked import chunked
from rfcli.model.encodings import nerf_encoding, nerf_width
from rfcli.model.layers import encoder_norm
from rfcli.model.triangle_tokens import TriangleTokens
from rfcli.model.v2.batch import VOLUME_COEFFICIENTS, V2Batch
from rfcli.model.v2.config import RenderFormerV2Config


class SceneTokens(TriangleTokens):
    """Register tokens, and the encoders of triangles, environment maps and volumes, in the order of the input.

    `RenderFormerV2` inherits from this class instead of holding it, so that the parameters have the published names.
    """

    config: RenderFormerV2Config

    def __init__(self, config: RenderFormerV2Config) -> None:
        super().__init__(config)
        dim = config.latent_dim
        self.intra_tri_pos_emb_proj = nn.Linear(nerf_width(9, config.vertex_pe_num_freqs), dim)
        self.intra_tri_pos_emb_norm = encoder_norm(config.vn_encoder_norm_type, dim)
        self.light_strength_encoder = nn.Linear(3, dim)
        self.light_strength_encoder_norm = encoder_norm(config.texture_encoder_norm_type, dim)
        if config.use_env_lighting:
            latents = config.envmap_latent_channels * config.envmap_latent_patch_size**2
            self.env_proj = nn.Linear(latents, dim)
            self.ray_dir_proj = nn.Linear(3 * config.envmap_ray_dir_map_patch_size**2, dim)
            self.env_light_strength_encoder = nn.Linear(1, dim)
            kind = config.envmap_encoder_norm_type
            self.env_proj_norm, self.ray_dir_norm = encoder_norm(kind, dim), encoder_norm(kind, dim)
            self.env_light_strength_encoder_norm = encoder_norm(kind, dim)
        self.volume_encoder = VolumeEncoder(dim, config.volume_density_input_dim) if config.use_volumes else None

    def front_tokens(self, batch: V2Batch) -> Tensor:
        """[B, R + environment tokens, C]: registers, then the environment if it is given."""
        registers = self.reg_tokens.expand(len(batch.mask), -1, -1)
        if batch.env_latent_ldr is None:
            return registers
        if not self.config.use_env_lighting:
            raise InputError("This model has no encoder of environment maps; leave the environment out.")
        return torch.cat([registers, self.environment_tokens(batch)], 1)

    def scene_tokens(self, batch: V2Batch) -> Tensor:
        """[B, N + M, C]: triangles, then volume tokens."""
        triangles = self.encoded_triangles(batch)
        if batch.volume_density is None:
            return triangles
        if self.volume_encoder is None:
            raise InputError("This model has no encoder of volumes; leave the volumes out.")
        return torch.cat([triangles, self.volume_encoder(batch)], 1)

    def encoded_triangles(self, batch: V2Batch) -> Tensor:
        """[B, N, C] embeddings of position within the triangle, normals, texture and emission."""
        config, texture, strength = self.config, batch.texture, batch.light_strength
        assert texture is not None
        assert strength is not None

        def embed(part: slice) -> list[Tensor]:
            corners = batch.triangles[:, part]
            offsets = (corners - corners.mean(2, keepdim=True)).flatten(2)
            positions = nerf_encoding(offsets, config.vertex_pe_num_freqs)
            normals = nerf_encoding(batch.vn[:, part].flatten(2), config.vn_pe_num_freqs)
            return [
                self.tri_token
                + self.intra_tri_pos_emb_norm(self.intra_tri_pos_emb_proj(positions))
                + self.vn_encoder_norm(self.vn_encoding_proj(normals))
                + self.texture_encoder_norm(self.encoded_texture(texture[:, part]))
                + self.light_strength_encoder_norm(self.light_strength_encoder(strength[:, part]))
            ]

        with torch.autocast(texture.device.type, enabled=False):  # bf16 would round emission by 1 %
            return chunked(embed, strength)[0]

    def encoded_texture(self, texture: Tensor) -> Tensor:
        """[B, N, C] embeddings of textures [B, N, C', P, P], before their norm.

        Textures of another size are first resized, to a larger size bilinearly, to a smaller one by averaging areas. A
        constant texture, P = 1, needs no resizing: the map of its texels collapses to one of a single texel.
        """
        channels, side = self.config.texture_channels, self.config.texture_encode_patch_size
        if texture.dim() != 5 or texture.shape[2] != channels:
            raise InputError(f"`texture` has shape {list(texture.shape)}; this model reads {channels} channels.")
        encoder = self.texture_encoder
        texture = texture.to(encoder.weight.dtype)
        if tuple(texture.shape[3:]) == (1, 1):
            weight = encoder.weight.view(-1, channels, side**2).sum(-1)
            return F.linear(texture.flatten(2), weight, encoder.bias)
        return encoder(resized(texture, side).flatten(2))  # type: ignore[no-any-return]

    def environment_tokens(self, batch: V2Batch) -> Tensor:
        """[B, 2 patches, C] tokens of the environment: of its clamped values, then of its logarithm.

        Both kinds have the same encoders and directions, so that nothing but their latents tells them apart.
        """
        config = self.config
        assert batch.env_ray_dir is not None
        assert batch.env_lighting_strength is not None
        directions = rearrange(batch.env_ray_dir, "b h w c -> b c h w")
        rays = self.ray_dir_norm(self.ray_dir_proj(map_patches(directions, config.envmap_ray_dir_map_patch_size)))
        strength = self.env_light_strength_encoder(batch.env_lighting_strength.view(-1, 1, 1))
        both = rays + self.env_light_strength_encoder_norm(strength)
        tokens = []
        for latents in (batch.env_latent_ldr, batch.env_latent_hdr):
            assert latents is not None
            encoded = self.env_proj(map_patches(latents, config.envmap_latent_patch_size))
            tokens.append(self.env_proj_norm(encoded) + both)
        return torch.cat(tokens, 1)


class VolumeEncoder(nn.Module):
    """Tokens of blocks of 4 x 4 x 4 voxels; where a block is enters attention as its rotation (RoPE) only."""

    def __init__(self, dim: int, voxels: int) -> None:
        super().__init__()
        self.vol_token = nn.Parameter(torch.zeros(1, 1, dim))
        for name in VOLUME_COEFFICIENTS:
            inputs, hidden = (voxels, dim) if name == "density" else (3, dim // 4)
            layers = nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, dim)
            setattr(self, f"{name}_encoder", nn.Sequential(*layers))

    def forward(self, batch: V2Batch) -> Tensor:
        """[B, M, C] the sum of the embeddings of density, rotation, scale, scattering and absorption."""
        tokens: Tensor = self.vol_token
        for name in VOLUME_COEFFICIENTS:
            tokens = tokens + getattr(self, f"{name}_encoder")(getattr(batch, f"volume_{name}"))
        return tokens


def resized(texture: Tensor, side: int) -> Tensor:
    """[B, N, C, P, P] -> [B, N, C, side, side]; see `SceneTokens.encoded_texture`."""
    given = texture.shape[-1]
    if given == side:
        return texture
    mode, align_corners = ("area", None) if given > side else ("bilinear", False)
    flat = F.interpolate(texture.flatten(0, 1), size=(side, side), mode=mode, align_corners=align_corners)
    return flat.view(*texture.shape[:3], side, side)


def map_patches(x: Tensor, patch: int) -> Tensor:
    """Cuts maps into patches: [B, C, H, W] -> [B, patches, C patch^2], row by row; order (channel, row, column)."""
    return rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=patch, q=patch)
