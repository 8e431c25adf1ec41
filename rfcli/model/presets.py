"""The published architectures, and two small ones: what a laptop can train, and what a night on a GPU can."""

from dataclasses import replace

from rfcli.model.config import RenderFormerConfig

BASE = RenderFormerConfig()

LARGE = RenderFormerConfig(
    latent_dim=1024,
    num_heads=8,
    dim_feedforward=4096,
    num_register_tokens=32,
    texture_encode_patch_size=1,
    rope_double_max_freq=True,
    view_transformer_latent_dim=1024,
    view_transformer_n_heads=8,
    view_transformer_ffn_hidden_dim=4096,
    view_transformer_n_layers=12,
    view_transformer_use_swin_attn=True,
    dpt_features=256,
    dpt_out_channels=(256, 512, 1024, 1024),
    dpt_out_layers=(2, 5, 8, 11),
)

TINY = RenderFormerConfig(
    latent_dim=128,
    num_heads=2,
    dim_feedforward=384,
    num_layers=4,
    num_register_tokens=2,
    texture_encode_patch_size=1,
    turn_to_cam_coord=False,
    vertex_pe_num_freqs=6,
    rope_double_max_freq=True,
    view_transformer_latent_dim=128,
    view_transformer_n_heads=2,
    view_transformer_ffn_hidden_dim=256,
    view_transformer_n_layers=4,
    dpt_features=24,
    dpt_out_channels=(16, 24, 48, 96),
    key_weight="area",
    visibility="first-hit",
    channels="apart",
    light="relative",
    token_position_freqs=2,
    vn_pe_num_freqs=1,
)

SMALL = replace(
    TINY,
    latent_dim=256,
    num_heads=4,
    dim_feedforward=768,
    num_layers=6,
    num_register_tokens=4,
    view_transformer_latent_dim=256,
    view_transformer_n_heads=4,
    view_transformer_ffn_hidden_dim=512,
    dpt_features=48,
    dpt_out_channels=(32, 48, 96, 192),
)

PRESETS = {"tiny": TINY, "small": SMALL, "base": BASE, "swin-large": LARGE}
