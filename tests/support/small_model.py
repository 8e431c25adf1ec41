"""A model so small that it renders in milliseconds."""

import dataclasses

from rfcli.model import RenderFormerConfig

SMALL = RenderFormerConfig(
    latent_dim=48,
    num_heads=2,
    dim_feedforward=64,
    num_layers=2,
    num_register_tokens=2,
    texture_encode_patch_size=1,
    vertex_pe_num_freqs=2,
    rope_double_max_freq=True,
    view_transformer_latent_dim=48,
    view_transformer_n_heads=2,
    view_transformer_ffn_hidden_dim=64,
    view_transformer_n_layers=4,
    dpt_features=8,
    dpt_out_channels=(8, 8, 8, 8),
)
SMALL_STAGE = dataclasses.replace(SMALL, view_transformer_n_layers=1, use_dpt_decoder=False)
