"""RenderFormer: triangles in, pictures out (Zeng et al., SIGGRAPH 2025, arXiv 2505.21925).

triangles ──► tokens ──► view-independent stage ──► tokens that know their light ─┐
cameras   ──► ray patches ────────────────────────► view-dependent stage ◄────────┘ ──► log10(1 + radiance)
"""

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from rfcli.attention import Context
from rfcli.errors import InputError
from rfcli.model.attention_context import log_key_weight
from rfcli.model.batch import LitScene, SceneBatch
from rfcli.model.cameras import pixel_directions, pixel_rays, to_camera, to_world
from rfcli.model.chunked import by_stretches
from rfcli.model.config import RenderFormerConfig
from rfcli.model.encodings import Rotation, nerf_encoding, nerf_width, rotation_by
from rfcli.model.layers import encoder_norm, run_layer
from rfcli.model.shading import mean_over_subpixels
from rfcli.model.transport import from_its_unit, of_three_channels, scenes_computed
from rfcli.model.triangle_tokens import TokenPositions, encode_surface
from rfcli.model.view_dependent import ViewDependentStage
from rfcli.model.view_independent import ViewIndependentTransformer, token_vertices
from rfcli.model.visibility import hit_geometry, seen_places, seen_surface, visible_triangles

LARGEST_LOG = 38.0  # of what `decode` takes a power of ten of


class RenderFormer(nn.Module):
    """Both stages. Parameters carry the published names, so official checkpoints load as they are."""

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
        self.transformer = ViewIndependentTransformer(config)
        self.view_transformer = ViewDependentStage(config)

    def context(self, batch: SceneBatch) -> Context:
        """What attention between triangles may know of the batch beside q, k and v."""
        return self.transformer.planned(self.key_context(batch), batch)

    def key_context(self, batch: SceneBatch) -> Context:
        """What attention to triangles may know of them as keys."""
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
        config = self.config
        with torch.autocast(batch.surface.device.type, enabled=False):  # a light rounded to bf16 is 1 % off
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

        (triangles,) = by_stretches(embed, surface)
        return torch.cat([self.reg_tokens.expand(len(triangles), -1, -1).to(triangles), triangles], 1)

    def rotation(self, batch: SceneBatch) -> Rotation | None:
        """RoPE's cosines and sines [B, R + N, D / 2] of registers and triangles in world space; None without RoPE."""
        vertices = token_vertices(batch.triangles, batch.mask, self.config.num_register_tokens)
        return rotation_by(self.transformer.rope_emb, vertices, self.config.head_dim)

    def view_independent(self, batch: SceneBatch) -> Tensor:
        """[S, R + N, C] tokens that know the light leaving their triangles; the same for every camera.

        S = B scenes, or 3 B where the model computes their channels apart.
        """
        batch, _unit = scenes_computed(batch, self.config)
        tokens, rotation, context = self.tokens(batch), self.rotation(batch), self.context(batch)
        for layer in self.transformer.layers:
            tokens = run_layer(layer, self.transformer.recompute, tokens, rotation, context)
        return tokens

    def lit(self, batch: SceneBatch, tokens: Tensor, keep_keys: bool = False) -> LitScene:
        """The scenes as `view_dependent` wants them. tokens [S, R + N, C]: from `view_independent`.

        keep_keys: hold the keys and values of all view layers, for more views than one.
        """
        registers, stage = self.config.num_register_tokens, self.view_transformer
        computed, unit = scenes_computed(batch, self.config)
        world = None if self.config.turn_to_cam_coord else token_vertices(computed.triangles, computed.mask, registers)
        return LitScene(
            batch=batch,
            tokens=tokens,
            context=self.key_context(computed),
            keys_values=stage.keys_values(tokens, world) if keep_keys else None,
            seen=stage.seen_norm(tokens) if stage.first_hit else None,
            vertex_light=stage.pixel_decoder.light_at_vertices(tokens[:, registers:], computed)
            if stage.first_hit
            else None,
            unit=unit,
        )

    def view_dependent(
        self,
        scene: LitScene,
        c2w: Tensor,
        fov: Tensor,
        resolution: int,
        visible: Tensor | None = None,
        samples: int = 1,
    ) -> Tensor:
        """Encoded images [B, V, H, W, 3], 4 with alpha, as V cameras of each scene see it; `decode` tells the code.

        scene: from `lit`; c2w [B, V, 4, 4]; fov [B, V] degrees; resolution in pixels.
        visible [B, V, H, W]: the triangle that each pixel sees, where the caller knows it already (-1 = none).
        samples: where visibility is first-hit, a pixel is the mean over samples x samples rays through it.
        """
        if resolution < 1 or resolution % self.config.patch_size:
            raise InputError(f"resolution {resolution} must be a multiple of {self.config.patch_size}.")
        batch, views = scene.batch, c2w.shape[1]
        registers, stage = self.config.num_register_tokens, self.view_transformer
        cameras, fov = c2w.flatten(0, 1).float(), fov.reshape(-1).float()
        corners = rearrange(to_camera(batch.triangles.flatten(1, 2), c2w), "b v (n k) c -> (b v) n k c", k=3)
        mask = repeat(batch.mask, "b n -> (b v) n", v=views)
        fine = resolution * samples if stage.first_hit else resolution
        directions = pixel_directions(fov, fine)
        patch = self.config.patch_size * fine // resolution

        hits = None
        if stage.first_hit:
            if visible is None:
                visible = torch.stack([visible_triangles(*one, fine) for one in zip(corners, mask, fov, strict=True)])
            hits = hit_geometry(visible.view(-1, fine, fine), corners, directions)
        if self.config.turn_to_cam_coord:
            vertices, rays = token_vertices(corners, mask, registers), pixel_rays(fov, resolution)
            places = seen_places(directions, hits, torch.zeros_like(cameras[:, :3, 3]), patch)
        else:
            vertices = token_vertices(batch.triangles, batch.mask, registers)
            rays = to_world(pixel_rays(fov, resolution), cameras)
            places = seen_places(to_world(directions, cameras), hits, cameras[:, :3, 3], patch)

        channels = len(scene.tokens) // len(batch.mask)  # 3 where each is computed as a scene of its own

        def of_each_channel(x: Tensor) -> Tensor:
            return repeat(x, "(b v) ... -> (b k v) ...", b=len(batch.mask), k=channels)

        given = [of_each_channel(x) for x in (vertices, rays, places)]
        features = stage(scene, *given, None if hits is None else hits.map(of_each_channel))
        if hits is None:
            answer = rearrange(features, "n c h w -> n h w c")
        else:
            surface = seen_surface(batch, hits, to_world(directions, cameras))
            first = surface.every(fine // resolution).map(of_each_channel)
            answer = stage.pixel_decoder(scene.vertex_light, features, first)
        if self.config.channels == "apart":
            answer = of_three_channels(answer, channels, views)
        if scene.unit is not None:
            of_channels = repeat(scene.unit, "(b k) -> (b v) 1 1 (q k)", k=channels, v=views, q=2)
            answer = from_its_unit(answer, of_channels if channels > 1 else of_channels[..., :1])
        image = answer if hits is None else mean_over_subpixels(answer, surface, fine // resolution)
        images: Tensor = rearrange(image, "(b v) h w c -> b v h w c", v=views)
        return images

    def forward(
        self,
        batch: SceneBatch,
        c2w: Tensor,
        fov: Tensor,
        resolution: int,
        visible: Tensor | None = None,
    ) -> Tensor:
        """Both stages: encoded images [B, V, H, W, 3]; see `view_dependent`."""
        return self.view_dependent(self.lit(batch, self.view_independent(batch)), c2w, fov, resolution, visible)

    def decode(self, image: Tensor) -> Tensor:
        """Linear radiance, float32, from what the network says: log10(1 + radiance), alpha alike, or the image (LDR).

        10^x leaves float16 at x = 4.82 and float32 at 38.5, so it is taken in float32 and no further than LARGEST_LOG.
        """
        return image if self.config.use_ldr else torch.pow(10.0, image.float().clamp_max(LARGEST_LOG)) - 1
