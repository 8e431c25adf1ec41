"""Every choice that makes a RenderFormer: the official config.json's fields, and ours beside them.

The published architectures, and two small ones: what a laptop can train, and what a night on a GPU can.
"""

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

from rfcli.errors import InputError
from rfcli.model.config_checks import check_contradictions, check_type

# What this implementation computes. Other values exist in the official schema (norm_first = false, RoPE of types
# triangle_learned and triangle_mixed); no published model has them, and they are refused, never ignored.
SUPPORTED: dict[str, tuple[Any, ...]] = {
    "activation": ("swiglu", "gelu"),
    "norm_first": (True,),
    "norm_type": ("rms_norm", "layer_norm"),
    "pe_type": ("rope", "nerf"),
    "rope_type": ("triangle",),
    "texture_encoder_norm_type": ("rms_norm", "layer_norm"),
    "vdir_pe_type": ("nerf",),
    "vn_encoder_norm_type": ("rms_norm", "layer_norm", "none"),
    "key_weight": ("count", "area", "normalised"),
    "visibility": ("attention", "first-hit"),
    "channels": ("together", "apart"),
    "light": ("given", "relative"),
}


@dataclass(frozen=True)
class RenderFormerConfig:
    """Field names are those of the official config.json; the defaults are the published base model's.

    Ours, at the end, default to what the official models do:
    attention          mechanism of the view-independent stage, and its options.
    key_weight         what a triangle weighs as a key: count (1 each), normalised (1 / number of triangles) or
                       area (its share of the surface); registers and emitters always weigh 1.
    visibility         how a ray finds its triangle: attention alone, or first-hit (a z-buffer tells it).
    channels           how red, green and blue are computed: together, or apart, each as a scene of its own
                       (`rfcli.model.transport`).
    light              how bright lights are told: as given, or relative to how much light the scene has for its size,
                       by which the answer is multiplied again (`rfcli.model.transport`); only with first-hit.
    token_position_freqs  frequencies of an encoding of the vertex positions that is added to the triangle tokens,
                       beside RoPE; None = not added.
    training_resolution  side of the images that the model was trained on last, pixels; None = not known.

    Raises InputError for a value that is not supported or fields that contradict each other.
    """

    activation: str = "swiglu"
    bias: bool = False
    dim_feedforward: int = 3072
    dpt_features: int = 128
    dpt_out_channels: tuple[int, ...] = (96, 192, 384, 768)
    dpt_out_layers: tuple[int, ...] | None = None
    dropout: float = 0.0
    include_alpha: bool = False
    latent_dim: int = 768
    norm_first: bool = True
    norm_type: str = "rms_norm"
    num_heads: int = 6
    num_layers: int = 12
    num_register_tokens: int = 16
    patch_size: int = 8
    pe_type: str = "rope"
    qk_norm: bool = True
    rope_double_max_freq: bool = False
    rope_type: str = "triangle"
    texture_channels: int = 13
    texture_encode_patch_size: int = 32
    texture_encoder_norm_type: str = "rms_norm"
    turn_to_cam_coord: bool = True
    use_dpt_decoder: bool = True
    use_ldr: bool = False
    use_vn_encoder: bool = True
    vdir_num_freqs: int = 0
    vdir_pe_type: str = "nerf"
    vertex_pe_num_freqs: int = 12
    view_indep_qk_norm: bool = True
    view_transformer_ffn_hidden_dim: int = 3072
    view_transformer_include_self_attn: bool = True
    view_transformer_latent_dim: int = 768
    view_transformer_n_heads: int = 6
    view_transformer_n_layers: int = 6
    view_transformer_use_swin_attn: bool = False
    vn_encoder_norm_type: str = "rms_norm"
    vn_pe_num_freqs: int = 6

    attention: str = "sdpa"
    attention_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    key_weight: str = "count"
    visibility: str = "attention"
    channels: str = "together"
    light: str = "given"
    token_position_freqs: int | None = None
    training_resolution: int | None = None

    def __post_init__(self) -> None:
        for name, values in SUPPORTED.items():
            if getattr(self, name) not in values:
                allowed = " or ".join(repr(value) for value in values)
                raise InputError(f"config field {name} = {getattr(self, name)!r} is not supported; use {allowed}.")
        for field in dataclasses.fields(self):
            check_type(field.name, field.type, getattr(self, field.name))
        check_contradictions(self)

    @property
    def head_dim(self) -> int:
        """Channels of one head of the view-independent stage."""
        return self.latent_dim // self.num_heads

    @property
    def view_head_dim(self) -> int:
        """Channels of one head of the view-dependent stage."""
        return self.view_transformer_latent_dim // self.view_transformer_n_heads

    @property
    def rope_dim(self) -> int:
        """Channels that each vertex coordinate turns in the view-independent stage, with RoPE."""
        return self.vertex_pe_num_freqs

    @property
    def view_rope_dim(self) -> int:
        """The same in the view-dependent stage, whose heads may be too narrow for as many."""
        return min(self.vertex_pe_num_freqs, self.view_head_dim // 18 * 2)

    @property
    def image_channels(self) -> int:
        """Channels of the image: red, green, blue and, where asked for, alpha."""
        return 4 if self.include_alpha else 3

    @property
    def taps(self) -> tuple[int, ...]:
        """View layers whose outputs the DPT head reads, shallow to deep: by default the last four."""
        last = self.view_transformer_n_layers
        return tuple(range(last - 4, last) if self.dpt_out_layers is None else sorted(self.dpt_out_layers))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RenderFormerConfig":
        """From the contents of a config.json. Raises InputError for an unknown field."""
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise InputError(f"Unknown config field '{unknown[0]}'; remove it or update rf.")
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """As written to config.json. Fields of ours that are at their defaults are left out, so that a model that
        uses nothing of ours is an official checkpoint to the letter."""
        ours = {
            "attention",
            "attention_options",
            "key_weight",
            "visibility",
            "channels",
            "light",
            "token_position_freqs",
            "training_resolution",
        }
        default = RenderFormerConfig()
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ours or getattr(self, field.name) != getattr(default, field.name)
        }


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
