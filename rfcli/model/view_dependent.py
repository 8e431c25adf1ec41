"""The view-dependent stage: ray tokens attend to the scene's tokens and are decoded to an image.

There is one ray token per patch of pixels. Letters in shapes: `rfcli.model.renderformer`; C is the width of this
stage, C' that of the view-independent stage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from rfcli.attention import SOFTMAX, Context, create
from rfcli.model.attention_context import key_context
from rfcli.model.batch import SceneBatch
from rfcli.model.cameras import patches, pixel_rays, to_camera, to_world
from rfcli.model.chunked import chunked
from rfcli.model.config import RenderFormerConfig
from rfcli.model.dpt import DPTHead
from rfcli.model.encodings import RopeFrequencies, Rotation, nerf_encoding, nerf_width, rotation_by
from rfcli.model.layers import (
    CrossAttention,
    LayerParts,
    SelfAttention,
    add_feed_forward,
    encoder_norm,
    rotate_part,
    run_layer,
)
from rfcli.model.swin import window_attention
from rfcli.model.symmetries import NetworkScenes
from rfcli.model.triangle_tokens import centroid_mask, token_vertices

if TYPE_CHECKING:
    from rfcli.model.scene_light import SceneLight

ELU_ALPHA = 1e-3  # keeps the log image above -0.001, with a gradient in dark pixels


@dataclass(frozen=True)
class SceneEncoding:
    """B scenes after the view-independent stage: everything that all cameras share.

    Attributes:
        batch: The B scenes.
        inputs: The S network inputs: one per scene, or one per scene and colour channel (`rfcli.model.symmetries`).
        tokens: [S, R + N, C'] output of the view-independent stage.
        positions: [S, R + N, K] the tokens' coordinates in world space, by which RoPE rotates.
        context: Attention context of the tokens as keys.
        keys_values: k and v [S, H, R + N, D] of each layer, k rotated unless its rotation depends on the camera. None:
            each view computes them layer by layer, so that those of two layers are not in memory at the same time.
        seen_tokens: [S, R + N, C'] normalised tokens, to be added to the ray tokens that see their triangles; None
            without first hits.
        vertex_features: [S, N, 3 FEATURES] features of the lighting at the triangles' vertices
            (`rfcli.model.shading`); None without first hits.
        lights: Rays and light samples of each of the B scenes; None without traced light.
    """

    batch: SceneBatch
    inputs: NetworkScenes
    tokens: Tensor
    positions: Tensor
    context: Context
    keys_values: Sequence[Sequence[Tensor]] | None
    seen_tokens: Tensor | None = None
    vertex_features: Tensor | None = None
    lights: "Sequence[SceneLight] | None" = None


@dataclass(frozen=True)
class Rays:
    """The rays of V cameras for each of S network inputs, in the space in which positions are encoded.

    That is each camera's own space with `turn_to_cam_coord`, else world space.

    Attributes:
        directions: [S V, H, H, 3] unit directions through the pixel centres.
        positions: [S V, M, 3] position of each ray token, for its positional encoding.
        token_positions: Coordinates of the scene's tokens: [S, R + N, K] in world space, or [S V, R + N, K] in the
            space of each camera; K = 9, of three vertices, or 3, of a centre.
    """

    directions: Tensor
    positions: Tensor
    token_positions: Tensor


class ViewDependentLayer(nn.Module):
    """One layer: cross-attention from ray tokens to scene tokens, self-attention among ray tokens, feed-forward."""

    def __init__(self, config: RenderFormerConfig, index: int) -> None:
        super().__init__()
        dim, heads = config.view_transformer_latent_dim, config.view_transformer_n_heads
        parts = LayerParts(config, config.qk_norm)
        softmax = {"heads": heads, "head_dim": dim // heads}
        self.windows = config.view_transformer_use_swin_attn
        self.shifted = index % 2 == 1
        self.query_norm = parts.norm(dim)
        self.kv_norm = parts.norm(config.latent_dim)
        self.multihead_attn = CrossAttention(dim, config.latent_dim, heads, create(SOFTMAX, **softmax), parts)
        self.self_attn: SelfAttention | None = None
        if config.view_transformer_include_self_attn:
            self.self_attn_norm = parts.norm(dim)
            self.self_attn = SelfAttention(dim, heads, create(SOFTMAX, **softmax), parts)
        self.ffn_norm = parts.norm(dim)
        self.ffn = parts.feed_forward(dim, config.view_transformer_ffn_hidden_dim)
        self.dropout = parts.dropout()

    def keys_values(self, tokens: Tensor, rotation: Rotation | None) -> list[Tensor]:
        """Keys and values [S, H, R + N, D] of tokens [S, R + N, C'], or S V in place of S; keys rotated."""
        return self.multihead_attn.keys_values(tokens, self.kv_norm, rotation)

    def forward(
        self, x: Tensor, keys_values: Sequence[Tensor], rotation: Rotation | None, context: Context, side: int
    ) -> Tensor:
        """One layer.

        Args:
            x: [S V, M, C] ray tokens of a square grid of `side` x `side` patches.
            keys_values: k and v, [S, H, R + N, D] if all views share them, else [S V, H, R + N, D].
            rotation: RoPE rotation of the ray tokens.
            context: Attention context of the keys.
            side: Patches along a side of the image.

        Returns:
            [S V, M, C].
        """
        x = x + self.dropout(self.multihead_attn(self.query_norm(x), *keys_values, rotation, context))
        if self.self_attn is not None:
            x = x + self.dropout(self._ray_self_attention(self.self_attn, x, rotation, side))
        return add_feed_forward(x, self.ffn_norm, self.ffn, self.dropout)

    def _ray_self_attention(self, attention: SelfAttention, x: Tensor, rotation: Rotation | None, side: int) -> Tensor:
        if not self.windows:
            return attention(x, self.self_attn_norm, rotation, Context())  # type: ignore[no-any-return]
        q, k, v = attention.queries_keys_values(x, self.self_attn_norm, None)
        return attention.projected(window_attention(q, k, v, side, side, self.shifted))


class ViewDependentTransformer(nn.Module):
    """All layers, and the frequencies of their RoPE.

    Attributes:
        recompute: Save memory in training by computing activations twice (`rfcli.model.layers.run_layer`).
        head_dim: Channels of one head.
        rope_emb: Frequencies of RoPE; None without RoPE.
        layers: The layers.
    """

    recompute = False

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__()
        self.head_dim = config.view_head_dim
        self.rope_emb = RopeFrequencies.of(config, config.view_rope_dim)
        self.layers = nn.ModuleList(ViewDependentLayer(config, i) for i in range(config.view_transformer_n_layers))

    def layer_list(self) -> list[ViewDependentLayer]:
        """The layers, first to last."""
        return [cast(ViewDependentLayer, layer) for layer in self.layers]

    def rotation(self, coordinates: Tensor) -> Rotation | None:
        """Cosines and sines [..., D / 2] of coordinates [..., K]; None without RoPE."""
        return rotation_by(self.rope_emb, coordinates, self.head_dim)


class ViewDependentStage(nn.Module):
    """The published stage: ray tokens positioned at the camera, view-dependent layers, image head.

    Visibility is left to attention. `rfcli.model.first_hit.FirstHitStage` adds visibility from a z-buffer.

    Args:
        config: The architecture.
        features: Channels of the head's output; None for those of an image.
    """

    def __init__(self, config: RenderFormerConfig, features: int | None = None) -> None:
        super().__init__()
        dim, patch = config.view_transformer_latent_dim, config.patch_size
        self.config = config
        self.ray_map_patch_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.ray_map_encoder = nn.Linear(nerf_width(3, config.vdir_num_freqs) * patch**2, dim)
        self.ray_map_encoder_norm = encoder_norm(config.norm_type, dim)
        self.nerf_positions = config.pe_type == "nerf"
        if self.nerf_positions:
            self.pe_token_proj = nn.Linear(nerf_width(9, config.vertex_pe_num_freqs), dim)
            self.token_pos_pe_norm = encoder_norm(config.norm_type, dim)
        self.transformer = ViewDependentTransformer(config)
        channels = config.image_channels if features is None else features
        if config.use_dpt_decoder:
            self.out_dpt = DPTHead(dim, config.dpt_features, config.dpt_out_channels, channels, patch)
        else:
            self.out_proj = nn.Linear(dim, channels * patch**2)

    def encode(
        self, batch: SceneBatch, inputs: NetworkScenes, tokens: Tensor, keep_keys: bool = False
    ) -> SceneEncoding:
        """Computes everything that all cameras of a scene share.

        Args:
            batch: B scenes.
            inputs: The S network inputs made from them.
            tokens: [S, R + N, C'] output of the view-independent stage.
            keep_keys: Keep the keys and values of all view-dependent layers; saves time if there are several views.
        """
        positions = self.token_positions(inputs.batch)
        return SceneEncoding(
            batch=batch,
            inputs=inputs,
            tokens=tokens,
            positions=positions,
            context=self.key_context(inputs.batch),
            keys_values=self._keys_values(tokens, positions) if keep_keys else None,
        )

    def token_positions(self, batch: SceneBatch) -> Tensor:
        """[S, R + N, 9] vertices of the tokens of S network inputs in world space."""
        mask = centroid_mask(batch, self.config)
        return token_vertices(batch.triangles, mask, self.config.num_register_tokens)

    def key_context(self, batch: SceneBatch) -> Context:
        """The attention context of the tokens of S network inputs as keys."""
        return key_context(batch, self.config)

    def rays(
        self, scene: SceneEncoding, c2w: Tensor, fov: Tensor, resolution: int, visible: Tensor | None, samples: int
    ) -> Rays:
        """The rays of all cameras.

        Args:
            scene: B scenes.
            c2w: [B, V, 4, 4] camera to world.
            fov: [B, V] degrees.
            resolution: Pixels along a side.
            visible: Only used by `FirstHitStage`.
            samples: Only used by `FirstHitStage`.
        """
        c2w, fov = c2w.float(), fov.reshape(-1).float()
        cameras, directions = c2w.flatten(0, 1), pixel_rays(fov, resolution)
        if self.config.turn_to_cam_coord:
            origins = torch.zeros_like(cameras[:, :3, 3])
        else:
            origins, directions = cameras[:, :3, 3], to_world(directions, cameras)
        patch_count = (resolution // self.config.patch_size) ** 2
        return self._rays(scene, c2w, directions, origins[:, None].expand(-1, patch_count, -1))

    def forward(self, scene: SceneEncoding, rays: Rays) -> Tensor:
        """Ray tokens, layers and head: [S V, features, H, H], in the published models the encoded image itself."""
        patch = self.config.patch_size
        side = rays.directions.shape[1] // patch
        x = self.ray_tokens(scene, rays, side)
        # With vertices as coordinates, the position of a patch is a triangle of three equal vertices.
        positions = rays.positions.repeat(1, 1, rays.token_positions.shape[-1] // 3)
        views = len(rays.token_positions) // len(scene.tokens)  # V, or 1 in world space
        tokens, context = scene.tokens, scene.context.repeated(views)
        if self.nerf_positions:
            x = x + self._encode_positions(positions)
            tokens = repeat(tokens, "b n c -> (b v) n c", v=views) + self._encode_positions(rays.token_positions)
        rotation = self.transformer.rotation(positions)
        rotate_keys = scene.keys_values is None or self.config.turn_to_cam_coord
        key_rotation = self.transformer.rotation(rays.token_positions) if rotate_keys else None
        outputs = []
        for index, layer in enumerate(self.transformer.layer_list()):
            kept = None if scene.keys_values is None else scene.keys_values[index]
            keys_values = self._view_keys_values(layer, tokens, kept, key_rotation, views)
            x = run_layer(layer, self.transformer.recompute, x, keys_values, rotation, context, side)
            outputs.append(x)
        if self.config.use_dpt_decoder:
            features: Tensor = self.out_dpt([outputs[index] for index in self.config.dpt_layers], side, side)
        else:
            features = rearrange(self.out_proj(x), "v (h w) (c p q) -> v c (h p) (w q)", h=side, p=patch, q=patch)
        return self.activation(features)

    def ray_tokens(self, scene: SceneEncoding, rays: Rays, side: int) -> Tensor:
        """[S V, M, C] embeddings of the ray directions of each patch of pixels, for side x side = M patches."""
        directions = patches(nerf_encoding(rays.directions, self.config.vdir_num_freqs), self.config.patch_size)
        tokens: Tensor = self.ray_map_encoder_norm(self.ray_map_encoder(directions)) + self.ray_map_patch_token
        return tokens

    def activation(self, features: Tensor) -> Tensor:
        """The activation of the head's output."""
        return F.elu(features, ELU_ALPHA)

    def head_output(self, scene: SceneEncoding, rays: Rays, features: Tensor) -> Tensor:
        """[S V, H, H, channels] the prediction for each input, log10(1 + x): here the encoded image itself."""
        return rearrange(features, "n c h w -> n h w c")

    def to_image(self, rays: Rays, prediction: Tensor) -> Tensor:
        """[B V, H, H, channels] encoded images from the merged predictions for the B scenes: here unchanged."""
        return prediction

    def key_bytes(self, tokens: Tensor) -> int:
        """Bytes of the keys and values of all layers in float32, for tokens [S, R + N, C']."""
        count = tokens.shape[0] * tokens.shape[1]
        return 2 * 4 * count * self.config.view_transformer_latent_dim * len(self.transformer.layers)

    def _rays(self, scene: SceneEncoding, c2w: Tensor, directions: Tensor, positions: Tensor) -> Rays:
        """Rays for the S network inputs from directions and positions [B V, ...] of the cameras of B scenes."""
        batch, inputs = scene.batch, scene.inputs
        token_positions = scene.positions
        if self.config.turn_to_cam_coord:
            corners = inputs.repeat_views(camera_space_triangles(batch, c2w), len(batch.mask))
            mask = repeat_views(centroid_mask(inputs.batch, self.config), c2w)
            token_positions = token_vertices(corners, mask, self.config.num_register_tokens)
        directions, positions = (inputs.repeat_views(x, len(batch.mask)) for x in (directions, positions))
        return Rays(directions, positions, token_positions)

    def _keys_values(self, tokens: Tensor, positions: Tensor) -> list[Sequence[Tensor]] | None:
        """Keys and values of every layer; None if even the tokens they are computed from depend on the camera."""
        if self.nerf_positions:
            return None
        rotation = None if self.config.turn_to_cam_coord else self.transformer.rotation(positions)
        return [layer.keys_values(tokens, rotation) for layer in self.transformer.layer_list()]

    def _view_keys_values(
        self,
        layer: ViewDependentLayer,
        tokens: Tensor,
        kept: Sequence[Tensor] | None,
        rotation: Rotation | None,
        views: int,
    ) -> Sequence[Tensor]:
        """Keys and values of a layer for all views: from the tokens, or kept ones, which are rotated here if needed."""
        if kept is None and (rotation is None or len(rotation[0]) == len(tokens)):
            return layer.keys_values(tokens, rotation)
        k, v = kept or layer.keys_values(tokens, None)
        if rotation is None:
            return k, v
        k, v = (repeat(x, "b h n d -> (b v) h n d", v=views) for x in (k, v))
        return chunked(lambda part: [rotate_part(k[:, :, part], rotation, part)], k)[0], v

    def _encode_positions(self, vertices: Tensor) -> Tensor:
        """[..., C] NeRF encodings of vertices [..., 9]; ray tokens and scene tokens share the encoder."""
        encoded = nerf_encoding(vertices, self.config.vertex_pe_num_freqs)
        return self.token_pos_pe_norm(self.pe_token_proj(encoded))  # type: ignore[no-any-return]


def camera_space_triangles(batch: SceneBatch, c2w: Tensor) -> Tensor:
    """[B V, N, 3, 3] the triangles of B scenes in the space of each of their V cameras, c2w [B, V, 4, 4]."""
    return rearrange(to_camera(batch.triangles.flatten(1, 2), c2w), "b v (n k) c -> (b v) n k c", k=3)


def repeat_views(x: Tensor, c2w: Tensor) -> Tensor:
    """[B, ...] -> [B V, ...], once for each of the V cameras c2w [B, V, 4, 4] of a scene."""
    return repeat(x, "b ... -> (b v) ...", v=c2w.shape[1])
