"""The view-independent stage: self-attention between triangles, which encodes light transport at each triangle."""

from dataclasses import replace
from typing import cast

from torch import Tensor, nn

from rfcli.attention import Context, LayerSpec, find_mechanism
from rfcli.model.attention_context import surface_features
from rfcli.model.batch import SceneBatch
from rfcli.model.config import RenderFormerConfig
from rfcli.model.encodings import RopeFrequencies, Rotation
from rfcli.model.layers import LayerParts, SelfAttention, add_feed_forward


class ViewIndependentLayer(nn.Module):
    """One layer: pre-norm self-attention and feed-forward."""

    def __init__(self, config: RenderFormerConfig, index: int) -> None:
        super().__init__()
        dim, parts = config.latent_dim, LayerParts(config, config.view_indep_qk_norm)
        mechanism = find_mechanism(config.attention)
        frequencies = 0 if config.pe_type == "nerf" else config.rope_dim // 2
        spec = LayerSpec(config.num_heads, config.head_dim, index, frequencies, config.rope_coordinates)
        layer = mechanism.create_layer(spec, **config.layer_options)
        self.query_norm = parts.norm(dim)
        self.multihead_attn = SelfAttention(dim, config.num_heads, layer, parts, mechanism.takes_output_buffer)
        self.ffn_norm = parts.norm(dim)
        self.ffn = parts.feed_forward(dim, config.dim_feedforward)
        self.dropout = parts.dropout()

    def forward(self, x: Tensor, rotation: Rotation | None, context: Context) -> Tensor:
        """[S, R + N, C] -> [S, R + N, C]."""
        x = x + self.dropout(self.multihead_attn(x, self.query_norm, rotation, context))
        return add_feed_forward(x, self.ffn_norm, self.ffn, self.dropout)


class ViewIndependentTransformer(nn.Module):
    """All layers, over register and triangle tokens: the only part whose cost can be quadratic in N.

    There is no `forward`: `RenderFormer.view_independent` calls the layers one by one, so that the input tokens of the
    first layer are freed before the last layer runs.

    Attributes:
        recompute: Save memory in training by computing activations twice (`rfcli.model.layers.run_layer`).
        rope_emb: Frequencies of RoPE; None without RoPE.
        layers: The layers.
    """

    recompute = False

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__()
        self.rope_emb = RopeFrequencies.of(config, config.rope_dim)
        self.layers = nn.ModuleList(ViewIndependentLayer(config, index) for index in range(config.num_layers))

    def attentions(self) -> list[SelfAttention]:
        """The self-attention of each layer, first to last."""
        return [cast(ViewIndependentLayer, layer).multihead_attn for layer in self.layers]

    def with_plan(self, context: Context, batch: SceneBatch) -> Context:
        """The context with the triangles' surface features and the mechanism's plan, which all layers share."""
        return self.planned(context, surface_features(batch, context.registers))

    def planned(self, context: Context, features: Tensor) -> Context:
        """The context with surface features [S, R + N, A] of the tokens and the mechanism's plan."""
        context = replace(context, features=features)
        return replace(context, plan=self.attentions()[0].mechanism.plan(context))
