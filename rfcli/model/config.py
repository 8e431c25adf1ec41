"""The architecture of a RenderFormer: the fields of the official config.json and our own; some architectures.

BASE and LARGE are the published ones; a laptop can train TINY; SMALL takes hours on a GPU.
"""

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

from rfcli.attention import SOFTMAX
from rfcli.errors import InputError
from rfcli.model.config_checks import check_contradictions, check_type

# The implemented values. The official schema has others (norm_first = false, rope_type = triangle_mixed), which no
# published model uses; they are refused. rope_type triangle_learned computes the same as triangle in the official code.
SUPPORTED: dict[str, tuple[Any, ...]] = {
    "activation": ("swiglu", "gelu"),
    "norm_first": (True,),
    "norm_type": ("rms_norm", "layer_norm"),
    "pe_type": ("rope", "nerf"),
    "rope_type": ("triangle", "triangle_learned"),
    "texture_encoder_norm_type": ("rms_norm", "layer_norm"),
    "vdir_pe_type": ("nerf",),
    "vn_encoder_norm_type": ("rms_norm", "layer_norm", "none"),
    "key_weight": ("count", "area", "normalised"),
    "visibility": ("attention", "first-hit"),
    "channels": ("together", "apart"),
    "light": ("given", "relative"),
    "direct": ("network", "traced"),
}

# Fields that the official config.json does not have.
OWN_FIELDS = frozenset(
    {
        "attention",
        "attention_options",
        "key_weight",
        "visibility",
        "channels",
        "light",
        "direct",
        "token_position_freqs",
        "training_resolution",
    }
)


@dataclass(frozen=True)
class RenderFormerConfig:
    """The architecture. Names are those of the official config.json; defaults are the published base model's.

    The last fields, from `attention` on, are our own; at their defaults a model is an official one.

    Attributes:
        activation: Activation of feed-forward layers: swiglu or gelu.
        bias: Whether projections and feed-forward layers have biases.
        dim_feedforward: Hidden width of view-independent feed-forward layers.
        dpt_features: Channels of the DPT head.
        dpt_out_channels: Channels of the four levels of the DPT head.
        dpt_out_layers: The four view-dependent layers that the DPT head reads; None: the last four.
        dropout: Dropout of residual branches and feed-forward layers, 0 to 1.
        include_alpha: Whether images have an alpha channel.
        latent_dim: Width of the view-independent stage.
        norm_first: Pre-norm layers; only True is implemented.
        norm_type: Norm of the layers: rms_norm or layer_norm.
        num_heads: Heads of view-independent attention.
        num_layers: View-independent layers.
        num_register_tokens: Register tokens before the triangle tokens.
        patch_size: Pixels along a side of a patch; there is one ray token per patch.
        pe_type: Positional encoding: rope or nerf.
        qk_norm: Whether view-dependent attention normalises queries and keys.
        rope_double_max_freq: Whether the largest RoPE frequency is doubled.
        rope_type: triangle, or triangle_learned, which computes the same.
        texture_channels: Channels of a material.
        texture_encode_patch_size: Texels along a side of a triangle's texture; 1 for constant materials.
        texture_encoder_norm_type: Norm after the material encoder: rms_norm or layer_norm.
        turn_to_cam_coord: Whether the view-dependent stage encodes positions in camera space.
        use_dpt_decoder: Whether the head is a DPT; else it is linear.
        use_ldr: Whether emission and images are low dynamic range, without logarithms.
        use_vn_encoder: Whether tokens encode vertex normals.
        vdir_num_freqs: NeRF frequencies of ray directions.
        vdir_pe_type: Encoding of ray directions; only nerf.
        vertex_pe_num_freqs: NeRF frequencies, or channels that RoPE rotates, per vertex coordinate.
        view_indep_qk_norm: Whether view-independent attention normalises queries and keys.
        view_transformer_ffn_hidden_dim: Hidden width of view-dependent feed-forward layers.
        view_transformer_include_self_attn: Whether ray tokens attend to one another.
        view_transformer_latent_dim: Width of the view-dependent stage.
        view_transformer_n_heads: Heads of view-dependent attention.
        view_transformer_n_layers: View-dependent layers.
        view_transformer_use_swin_attn: Whether ray tokens attend to one another only within shifted windows.
        vn_encoder_norm_type: Norm after the encoders of normals and positions: rms_norm, layer_norm or none.
        vn_pe_num_freqs: NeRF frequencies of vertex normals.
        attention: Mechanism of view-independent attention.
        attention_options: Options of the mechanism.
        key_weight: Weight of a triangle as a key: count (1), normalised (1 / number of triangles) or area (its share of
            the surface area that does not emit; of an emitter its share of the light, times the number of lamps); see
            `rfcli.model.attention_context`.
        visibility: How the triangles that a pixel sees are found: by attention, or first-hit (a z-buffer,
            `rfcli.model.first_hit`).
        channels: Red, green and blue are one network input (together) or one each (apart, `rfcli.model.symmetries`).
        light: The network is given the emission itself (given) or relative to the amount of light in the scene
            (relative, `rfcli.model.symmetries`), which needs first-hit visibility.
        direct: Direct light is predicted by the network like all other light, or traced by rays, so that the network
            predicts only indirect light (`rfcli.model.traced_light`); traced needs first-hit visibility.
        token_position_freqs: NeRF frequencies of vertex positions added to the triangle tokens, besides RoPE; None:
            not added.
        training_resolution: Side of the images of the last training phase, pixels; None: unknown.

    Raises:
        InputError: A value is not supported, or fields contradict each other.
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

    attention: str = SOFTMAX
    attention_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    key_weight: str = "count"
    visibility: str = "attention"
    channels: str = "together"
    light: str = "given"
    direct: str = "network"
    token_position_freqs: int | None = None
    training_resolution: int | None = None

    def __post_init__(self) -> None:
        for name, values in self.supported.items():
            if getattr(self, name) not in values:
                allowed = " or ".join(repr(value) for value in values)
                raise InputError(f"config field {name} = {getattr(self, name)!r} is not supported; use {allowed}.")
        for field in dataclasses.fields(self):
            check_type(field.name, field.type, getattr(self, field.name))
        check_contradictions(self)

    @property
    def supported(self) -> dict[str, tuple[Any, ...]]:
        """The implemented values of fields that have only some."""
        return SUPPORTED

    @property
    def layer_options(self) -> dict[str, Any]:
        """All options of the mechanism."""
        return self.attention_options

    @property
    def head_dim(self) -> int:
        """Channels of one head of the view-independent stage."""
        return self.latent_dim // self.num_heads

    @property
    def view_head_dim(self) -> int:
        """Channels of one head of the view-dependent stage."""
        return self.view_transformer_latent_dim // self.view_transformer_n_heads

    @property
    def rope_coordinates(self) -> int:
        """Coordinates of a token by which RoPE rotates: those of its three vertices."""
        return 9

    @property
    def rope_dim(self) -> int:
        """Channels rotated per coordinate in the view-independent stage, with RoPE."""
        return self.vertex_pe_num_freqs

    @property
    def view_rope_dim(self) -> int:
        """Channels rotated per coordinate in the view-dependent stage, whose heads may be narrower."""
        return min(self.rope_dim, self.view_head_dim // (2 * self.rope_coordinates) * 2)

    @property
    def material_channels(self) -> int:
        """Channels of the materials that the network reads, emission included."""
        return self.texture_channels

    def for_materials(self) -> "RenderFormerConfig":
        """The architecture for scenes of constant 13-channel materials; its cost is the same."""
        return self

    @property
    def image_channels(self) -> int:
        """Channels of the image: red, green, blue and optionally alpha."""
        return 4 if self.include_alpha else 3

    @property
    def dpt_layers(self) -> tuple[int, ...]:
        """Indices of the view-dependent layers whose outputs the DPT head reads; by default the last four."""
        last = self.view_transformer_n_layers
        return tuple(range(last - 4, last) if self.dpt_out_layers is None else sorted(self.dpt_out_layers))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RenderFormerConfig":
        """The config with the contents of a config.json.

        Args:
            values: Values by field name; fields that are missing have their defaults.

        Returns:
            The config.

        Raises:
            InputError: A field is unknown or has an unsupported value.
        """
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise InputError(f"Unknown config field '{unknown[0]}'; remove it or update rf.")
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """The contents of config.json.

        Our own fields are left out at their defaults, so that a model that uses none of them is an official checkpoint.
        """
        default = type(self)()
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in OWN_FIELDS or getattr(self, field.name) != getattr(default, field.name)
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
    direct="traced",
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
