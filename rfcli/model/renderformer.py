"""RenderFormer: triangles in, pictures out (Zeng et al., SIGGRAPH 2025, arXiv 2505.21925).

triangles ──► tokens ──► view-independent stage ──► tokens that know their light ─┐
cameras   ──► ray patches ────────────────────────► view-dependent stage ◄────────┘ ──► log10(1 + radiance)
"""

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from rfcli.attention import Context
from rfcli.errors import InputError
from rfcli.model.blocks import RMSNorm, Rotation
from rfcli.model.config import RenderFormerConfig
from rfcli.model.encodings import nerf_encoding, rope_rotation
from rfcli.model.first_hit import hit_geometry, seen_places, visible_triangles
from rfcli.model.key_weights import log_key_weight
from rfcli.model.rays import pixel_directions, to_camera, to_world
from rfcli.model.scene_batch import MATERIAL_CHANNELS, SceneBatch
from rfcli.model.triangle_tokens import TokenPositions, encode_surface
from rfcli.model.view_dependent import ViewDependentStage
from rfcli.model.view_independent import ViewIndependentTransformer, token_vertices


class RenderFormer(nn.Module):
    """Both stages. Parameters carry the published names, so official checkpoints load as they are."""

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__()
        dim = config.latent_dim
        self.config = config
        self.tri_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.reg_tokens = nn.Parameter(torch.zeros(1, config.num_register_tokens, dim))
        self.vn_encoding_proj = nn.Linear(9 * (1 + 2 * config.vn_pe_num_freqs), dim)
        self.vn_encoder_norm = RMSNorm(dim)
        self.texture_encoder = nn.Linear(MATERIAL_CHANNELS * config.texture_encode_patch_size**2, dim)
        self.texture_encoder_norm = RMSNorm(dim)
        frequencies = config.token_position_freqs
        self.token_positions = None if frequencies is None else TokenPositions(dim, frequencies)
        self.transformer = ViewIndependentTransformer(config)
        self.view_transformer = ViewDependentStage(config)

    def context(self, batch: SceneBatch) -> Context:
        """What attention may know of the batch beside q, k and v."""
        registers = self.config.num_register_tokens

        def behind_registers(flags: Tensor, front: bool) -> Tensor:
            return nn.functional.pad(flags, (registers, 0), value=front)

        return Context(
            key_mask=None if bool(batch.mask.all()) else behind_registers(batch.mask, True),
            registers=registers,
            emitters=behind_registers(batch.emitters, False),
            log_weight=log_key_weight(self.config.key_weight, batch, registers),
        )

    def tokens(self, batch: SceneBatch) -> Tensor:
        """[B, R + N, C] registers and triangles, before they have met."""
        patch = self.config.texture_encode_patch_size
        surface = self.texture_encoder_norm(encode_surface(self.texture_encoder, batch, patch))
        normals = nerf_encoding(batch.vn.flatten(2), self.config.vn_pe_num_freqs)
        triangles = self.tri_token + surface + self.vn_encoder_norm(self.vn_encoding_proj(normals))
        if self.token_positions is not None:
            triangles = triangles + self.token_positions(batch.triangles)
        return torch.cat([self.reg_tokens.expand(len(triangles), -1, -1).to(triangles), triangles], 1)

    def rotation(self, batch: SceneBatch) -> Rotation:
        """RoPE's cosines and sines [B, R + N, D / 2] of registers and triangles in world space."""
        vertices = token_vertices(batch.triangles, batch.centre(), self.config.num_register_tokens)
        return rope_rotation(vertices, self.transformer.rope_emb.freqs, self.config.head_dim)

    def view_independent(self, batch: SceneBatch) -> Tensor:
        """[B, R + N, C] tokens that know the light leaving their triangles; the same for every camera."""
        tokens: Tensor = self.transformer(self.tokens(batch), self.rotation(batch), self.context(batch))
        return tokens

    def view_dependent(
        self,
        batch: SceneBatch,
        tokens: Tensor,
        c2w: Tensor,
        fov: Tensor,
        resolution: int,
        visible: Tensor | None = None,
    ) -> Tensor:
        """log10(1 + radiance) [B, V, H, W, 3] as V cameras of each scene see it.

        tokens [B, R + N, C] from `view_independent`; c2w [B, V, 4, 4]; fov [B, V] degrees; resolution in pixels.
        visible [B, V, H, W]: the triangle that each pixel sees, where the caller knows it already (-1 = none).
        """
        if resolution < 1 or resolution % self.config.patch_size:
            raise InputError(f"resolution {resolution} must be a multiple of {self.config.patch_size}.")
        views = c2w.shape[1]
        registers, stage = self.config.num_register_tokens, self.view_transformer
        cameras, fov = c2w.flatten(0, 1).float(), fov.reshape(-1).float()
        corners = rearrange(to_camera(batch.triangles.flatten(1, 2), c2w), "b v (n k) c -> (b v) n k c", k=3)
        directions = pixel_directions(fov, resolution)
        rays = torch.nn.functional.normalize(directions, dim=-1)

        hits = None
        if stage.first_hit:
            if visible is None:
                mask = repeat(batch.mask, "b n -> (b v) n", v=views)
                seen = [visible_triangles(*view, resolution) for view in zip(corners, mask, fov, strict=True)]
                visible = torch.stack(seen)
            hits = hit_geometry(visible.view(-1, resolution, resolution), corners, directions)
        if self.config.turn_to_cam_coord:
            centre = rearrange(to_camera(batch.centre()[:, None], c2w), "b v 1 c -> (b v) c")
            vertices = token_vertices(corners, centre, registers)
            places = seen_places(directions, hits, torch.zeros_like(cameras[:, :3, 3]), self.config.patch_size)
            image = stage(tokens, vertices, rays, places, self.context(batch), hits)
        else:
            vertices = token_vertices(batch.triangles, batch.centre(), registers)
            directions = to_world(directions, cameras)
            places = seen_places(directions, hits, cameras[:, :3, 3], self.config.patch_size)
            image = stage(tokens, vertices, to_world(rays, cameras), places, self.context(batch), hits)
        if hits is not None:
            image = stage.pixel_decoder(tokens[:, registers:], image, hits, batch, to_world(rays, cameras))
        images: Tensor = rearrange(image, "(b v) c h w -> b v h w c", v=views)
        return images

    def forward(
        self,
        batch: SceneBatch,
        c2w: Tensor,
        fov: Tensor,
        resolution: int,
        visible: Tensor | None = None,
    ) -> Tensor:
        """Both stages: log10(1 + radiance) [B, V, H, W, 3]; see `view_dependent`."""
        return self.view_dependent(batch, self.view_independent(batch), c2w, fov, resolution, visible)
