"""The first stage: triangles talk to triangles, and each token comes to know the light that leaves its triangle."""

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from rfcli.attention import Context, LayerSpec, find_mechanism
from rfcli.model.attention_context import surface_features
from rfcli.model.batch import SceneBatch
from rfcli.model.config import RenderFormerConfig
from rfcli.model.encodings import RopeFrequencies, Rotation
from rfcli.model.layers import LayerParts, SelfAttention, add_feed_forward


class Layer(nn.Module):
    """Pre-norm self-attention and feed-forward."""

    def __init__(self, config: RenderFormerConfig, index: int) -> None:
        super().__init__()
        dim, parts = config.latent_dim, LayerParts(config, config.view_indep_qk_norm)
        mechanism = find_mechanism(config.attention)
        frequencies = config.rope_dim // 2 if config.pe_type == "rope" else 0
        spec = LayerSpec(config.num_heads, config.head_dim, index, frequencies)
        layer = mechanism.create_layer(spec, **config.attention_options)
        self.query_norm = parts.norm(dim)
        self.multihead_attn = SelfAttention(dim, config.num_heads, layer, parts, mechanism.takes_output_buffer)
        self.ffn_norm = parts.norm(dim)
        self.ffn = parts.feed_forward(dim, config.dim_feedforward)
        self.dropout = parts.dropout()

    def forward(self, x: Tensor, rotation: Rotation | None, context: Context) -> Tensor:
        """X [B, R + N, C] -> the same shape."""
        x = x + self.dropout(self.multihead_attn(x, self.query_norm, rotation, context))
        return add_feed_forward(x, self.ffn_norm, self.ffn, self.dropout)


class ViewIndependentTransformer(nn.Module):
    """`num_layers` layers over registers and triangles; the only place where cost can grow as N squared.

    They are called one by one: a call of them all would keep the tokens that it began with to the end.
    recompute: whether layers save memory while training by computing twice (`recompute.run_layer`).
    """

    recompute = False

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__()
        self.rope_emb = RopeFrequencies.of(config, config.rope_dim)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.num_layers))

    def attentions(self) -> list[SelfAttention]:
        """The attention of each layer, first to last."""
        return [cast(Layer, layer).multihead_attn for layer in self.layers]

    def planned(self, context: Context, batch: SceneBatch) -> Context:
        """The context with the features of every triangle and the mechanism's plan, which all layers share."""
        context = replace(context, features=surface_features(batch, context.registers))
        return replace(context, plan=self.attentions()[0].mechanism.plan(context))


def token_vertices(triangles: Tensor, mask: Tensor, registers: int) -> Tensor:
    """[B, R + N, 9] vertex coordinates of every token: the registers sit, three vertices in one, at the centre.

    triangles [B, N, 3, 3], mask [B, N] of the real ones. The centre is the mean of all their vertices, but for the
    1e-5 that the official models add to the count of triangles. It is summed in their order, over triangles and then
    over corners: NeRF positions of high frequency (2,048 radians per unit length) see how a sum was rounded.
    """
    weight = mask.to(triangles.dtype) / (mask.sum(1, keepdim=True) + 1e-5)
    corners = (weight[:, :, None, None] * triangles).sum(1)
    front = corners.mean(1).repeat(1, 3)[:, None].expand(-1, registers, -1)
    return torch.cat([front, triangles.flatten(2)], 1)
