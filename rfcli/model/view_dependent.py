"""The second stage: rays ask the triangles what they see, and become an image."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from rfcli.attention import Context, create
from rfcli.model.batch import LitScene
from rfcli.model.cameras import patches
from rfcli.model.chunked import by_stretches
from rfcli.model.config import RenderFormerConfig
from rfcli.model.dpt import DPTHead
from rfcli.model.encodings import RopeFrequencies, Rotation, nerf_encoding, nerf_width, rotation_by
from rfcli.model.layers import (
    CrossAttention,
    LayerParts,
    RMSNorm,
    SelfAttention,
    add_feed_forward,
    encoder_norm,
    rotate_part,
    run_layer,
)
from rfcli.model.shading import CHANNELS, PixelDecoder
from rfcli.model.swin import window_attention
from rfcli.model.visibility import FirstHits

ELU_ALPHA = 1e-3  # keeps the log image above -0.001 and its gradient alive in the dark


class ViewLayer(nn.Module):
    """Rays read the triangles, then one another, then think."""

    def __init__(self, config: RenderFormerConfig, index: int) -> None:
        super().__init__()
        dim, heads = config.view_transformer_latent_dim, config.view_transformer_n_heads
        parts = LayerParts(config, config.qk_norm)
        softmax = {"heads": heads, "head_dim": dim // heads}
        self.windows = config.view_transformer_use_swin_attn
        self.shifted = index % 2 == 1
        self.query_norm = parts.norm(dim)
        self.kv_norm = parts.norm(config.latent_dim)
        self.multihead_attn = CrossAttention(dim, config.latent_dim, heads, create("sdpa", **softmax), parts)
        self.self_attn: SelfAttention | None = None
        if config.view_transformer_include_self_attn:
            self.self_attn_norm = parts.norm(dim)
            self.self_attn = SelfAttention(dim, heads, create("sdpa", **softmax), parts)
        self.ffn_norm = parts.norm(dim)
        self.ffn = parts.feed_forward(dim, config.view_transformer_ffn_hidden_dim)
        self.dropout = parts.dropout()

    def keys_values(self, tokens: Tensor, rotation: Rotation | None) -> list[Tensor]:
        """k and v [B, H, N, D] of tokens [B, N, C']; k rotated."""
        return self.multihead_attn.keys_values(tokens, self.kv_norm, rotation)

    def forward(
        self, x: Tensor, keys_values: Sequence[Tensor], rotation: Rotation | None, context: Context, side: int
    ) -> Tensor:
        """x [B V, M, C] rays of a square grid of `side` patches. keys_values: k and v [B, H, N, D], read by all views,
        or [B V, H, N, D], by one each. `context` speaks of the keys."""
        x = x + self.dropout(self.multihead_attn(self.query_norm(x), *keys_values, rotation, context))
        if self.self_attn is not None:
            x = x + self.dropout(self._among_rays(self.self_attn, x, rotation, side))
        return add_feed_forward(x, self.ffn_norm, self.ffn, self.dropout)

    def _among_rays(self, attention: SelfAttention, x: Tensor, rotation: Rotation | None, side: int) -> Tensor:
        if not self.windows:
            return attention(x, self.self_attn_norm, rotation, Context())  # type: ignore[no-any-return]
        q, k, v = attention.queries_keys_values(x, self.self_attn_norm, None)
        return attention.projected(window_attention(q, k, v, side, side, self.shifted))


class ViewLayers(nn.Module):
    """The layers, and the frequencies of their positions. recompute: as in the other stage."""

    recompute = False

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__()
        self.head_dim = config.view_head_dim
        self.rope_emb = RopeFrequencies.of(config, config.view_rope_dim)
        self.layers = nn.ModuleList(ViewLayer(config, i) for i in range(config.view_transformer_n_layers))

    def each(self) -> list[ViewLayer]:
        """First to last."""
        return [cast(ViewLayer, layer) for layer in self.layers]

    def rotation(self, vertices: Tensor) -> Rotation | None:
        return rotation_by(self.rope_emb, vertices, self.head_dim)


class ViewDependentStage(nn.Module):
    """Ray tokens, view layers and the head."""

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__()
        dim, patch = config.view_transformer_latent_dim, config.patch_size
        self.config = config
        self.ray_map_patch_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.ray_map_encoder = nn.Linear(nerf_width(3, config.vdir_num_freqs) * patch**2, dim)
        self.ray_map_encoder_norm = encoder_norm(config.norm_type, dim)
        self.encodes_positions = config.pe_type == "nerf"
        if self.encodes_positions:
            self.pe_token_proj = nn.Linear(nerf_width(9, config.vertex_pe_num_freqs), dim)
            self.token_pos_pe_norm = encoder_norm(config.norm_type, dim)
        self.transformer = ViewLayers(config)
        self.first_hit = config.visibility == "first-hit"
        channels = CHANNELS if self.first_hit else config.image_channels
        if config.use_dpt_decoder:
            self.out_dpt = DPTHead(dim, config.dpt_features, config.dpt_out_channels, channels, patch)
        else:
            self.out_proj = nn.Linear(dim, channels * patch**2)
        if self.first_hit:
            self.seen_norm = RMSNorm(config.latent_dim)
            self.seen_proj = nn.Linear(config.latent_dim, dim, bias=False)
            self.pixel_decoder = PixelDecoder(config.latent_dim)

    def key_bytes(self, tokens: Tensor) -> int:
        """What the keys and values of all layers take, in float32."""
        count = tokens.shape[0] * tokens.shape[1]
        return 2 * 4 * count * self.config.view_transformer_latent_dim * len(self.transformer.layers)

    def keys_values(self, tokens: Tensor, world: Tensor | None) -> list[Sequence[Tensor]] | None:
        """Of every layer, for `LitScene.keys_values`; None where they depend on the camera altogether.

        tokens [B, R + N, C]; world [B, R + N, 9] their vertices, where the cameras' space is not what positions are in.
        """
        if self.encodes_positions:
            return None
        rotation = None if world is None else self.transformer.rotation(world)
        return [layer.keys_values(tokens, rotation) for layer in self.transformer.each()]

    def forward(
        self, scene: LitScene, vertices: Tensor, rays: Tensor, places: Tensor, hits: FirstHits | None
    ) -> Tensor:
        """Image features [B V, C', H, H]: the image as `RenderFormer.decode` reads it, or what the pixel decoder reads.

        vertices of the scene's tokens, [B, R + N, 9] in the world's space or [B V, R + N, 9] in the cameras'; rays
        [B V, H, H, 3] unit directions and places [B V, M, 3] of the patches in the same space; hits, where visibility
        is first-hit, of as many rays a pixel as one likes.
        """
        patch = self.config.patch_size
        side = rays.shape[1] // patch
        directions = patches(nerf_encoding(rays, self.config.vdir_num_freqs), patch)
        x = self.ray_map_encoder_norm(self.ray_map_encoder(directions)) + self.ray_map_patch_token
        if hits is not None:
            x = x + self.seen_proj(self._tokens_seen(scene, hits, side))
        places = places.repeat(1, 1, 3)  # a ray's place as a triangle whose vertices coincide
        views = len(vertices) // len(scene.tokens)  # 1 where the cameras' space is not what positions are in
        tokens, context = scene.tokens, scene.context.repeated(views)
        if self.encodes_positions:
            x = x + self._encoded(places)
            tokens = repeat(tokens, "b n c -> (b v) n c", v=views) + self._encoded(vertices)
        rotation = self.transformer.rotation(places)
        keys_turn = scene.keys_values is None or self.config.turn_to_cam_coord
        key_rotation = self.transformer.rotation(vertices) if keys_turn else None
        outputs = []
        for number, layer in enumerate(self.transformer.each()):
            kept = None if scene.keys_values is None else scene.keys_values[number]
            keys_values = self._read(layer, tokens, kept, key_rotation, views)
            x = run_layer(layer, self.transformer.recompute, x, keys_values, rotation, context, side)
            outputs.append(x)
        if self.config.use_dpt_decoder:
            image: Tensor = self.out_dpt([outputs[tap] for tap in self.config.taps], side, side)
        else:
            image = rearrange(self.out_proj(x), "v (h w) (c p q) -> v c (h p) (w q)", h=side, p=patch, q=patch)
        return image if self.first_hit else F.elu(image, ELU_ALPHA)

    def _read(
        self, layer: ViewLayer, tokens: Tensor, kept: Sequence[Tensor] | None, rotation: Rotation | None, views: int
    ) -> Sequence[Tensor]:
        """k and v of a layer as these views see them, of tokens or from those that were `kept` unturned."""
        if kept is None and (rotation is None or len(rotation[0]) == len(tokens)):
            return layer.keys_values(tokens, rotation)
        k, v = kept or layer.keys_values(tokens, None)
        if rotation is None:
            return k, v
        k, v = (repeat(x, "b h n d -> (b v) h n d", v=views) for x in (k, v))
        return by_stretches(lambda part: [rotate_part(k[:, :, part], rotation, part)], k)[0], v

    def _encoded(self, vertices: Tensor) -> Tensor:
        """[..., C] NeRF positions of vertices [..., 9]; rays and triangles share one encoder."""
        encoded = nerf_encoding(vertices, self.config.vertex_pe_num_freqs)
        return self.token_pos_pe_norm(self.pe_token_proj(encoded))  # type: ignore[no-any-return]

    def _tokens_seen(self, scene: LitScene, hits: FirstHits, side: int) -> Tensor:
        """[B V, M, C] mean of the tokens of the triangles that the rays of each of side x side patches meet."""
        assert scene.seen is not None
        tokens, registers = scene.seen, scene.context.registers
        scenes, count, _ = tokens.shape
        views = len(hits.triangle) // scenes
        of_scene = torch.arange(len(hits.triangle), device=tokens.device)[:, None, None] // views
        row = hits.triangle.clamp_min(0) + registers + of_scene * count
        p = hits.triangle.shape[-1] // side
        bags = rearrange(row, "v (h p) (w q) -> (v h w) (p q)", p=p, q=p)
        weight = rearrange(hits.seen, "v (h p) (w q) -> (v h w) (p q)", p=p, q=p).to(tokens.dtype)
        mean = F.embedding_bag(bags, tokens.flatten(0, 1), mode="sum", per_sample_weights=weight / p**2)
        return rearrange(mean, "(v m) c -> v m c", v=len(hits.triangle))
