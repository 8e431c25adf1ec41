"""The architecture of RenderFormer-V2: the fields of its published config, and our own; two presets."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from rfcli.attention import WINDOW
from rfcli.errors import InputError
from rfcli.model.config import SUPPORTED, RenderFormerConfig

SUPPORTED_V2: dict[str, tuple[Any, ...]] = SUPPORTED | {
    "pe_type": ("rope_only_center",),
    "rope_type": ("triangle_center",),
    "envmap_encoder_norm_type": ("rms_norm", "layer_norm", "none"),
    "surface": ("latents", "values"),
    # V1's fields, which V2's config does not have, at the values by which V2 behaves:
    "turn_to_cam_coord": (False,),
    "use_ldr": (False,),
    "use_vn_encoder": (True,),
    "key_weight": ("count",),
    "visibility": ("attention",),
    "channels": ("together",),
    "light": ("given",),
    "direct": ("network",),
    "token_position_freqs": (None,),
}

# Fields of the published config of which one value is implemented, the published one; others are refused.
PUBLISHED: dict[str, Any] = {
    "register_token_pe": "weighted_mean",
    "use_view_token": False,
    "num_kv_heads": None,
    "view_transformer_num_kv_heads": None,
    "log_roughness_encoding": False,
    "separate_light_strength": True,
    "auto_interpolate_texture": True,
    "use_triangle_ordering": True,
    "triangle_ordering_order": "hilbert",
    "view_transformer_use_triangle_ordering": False,
    "use_local_attention": False,
    "use_flex_attention": True,
    "put_light_tokens_first": True,
    "put_light_tokens_in_sink": True,
    "put_env_tokens_in_sink": True,
    "add_summary_tokens": True,
    "volume_use_density_mlp": True,
    "use_perceiver": False,
    "decoding_method": "view_transformer",
    "view_transformer_self_attn_before_cross": False,
    "output_patch_size": None,
    "output_channel": None,
    "latent_vae_model_id": None,
    "view_transformer_use_layers": None,
    "deepstack_injection_map": None,
    "deepstack_decoder_injection_map": None,
}

# Fields that change neither the parameters nor the result; any value is read, and the published one is written.
WITHOUT_EFFECT: dict[str, Any] = {
    "custom_init": True,
    "freeze_radiosity_transformer_if_initialized": False,
    "flex_attention_block_size": 128,
    "view_transformer_triangle_ordering_order": "z",
    "num_perceiver_tokens": 64,
    "texture_decode_patch_size": 32,
    "deepstack_dual_input_size": 64,
}

V1_ONLY = ("turn_to_cam_coord", "use_ldr")
OWN_FIELDS_V2 = ("surface",)


@dataclass(frozen=True)
class RenderFormerV2Config(RenderFormerConfig):
    """The architecture. Names are those of the published config; defaults are the published values.

    Fields that RenderFormerConfig has too are described there; these have other defaults or another meaning:

    Attributes:
        pe_type: Positional encoding: RoPE by the centre of a triangle.
        rope_type: The same.
        texture_channels: Channels of the latents of a texture, or of its values.
        texture_encode_patch_size: Texels along a side; textures of other sizes are resized.
        turn_to_cam_coord: The view-dependent stage encodes positions in world space.
        view_transformer_use_swin_attn: Ray tokens attend to one another within shifted windows.
        attention: Mechanism of view-independent attention; window is that of the published pipeline.
        intra_rope_pe_num_freqs: Channels that RoPE rotates per coordinate of a triangle's centre.
        local_attention_window_size_half: Neighbours on either side that a token attends to.
        summary_block_size: Tokens whose mean is a summary token.
        use_env_lighting: Whether the model has an encoder of environment maps.
        envmap_vae_model_id: Hugging Face id of the VAE of environment maps and textures.
        envmap_latent_channels: Channels of the latents of an environment map.
        envmap_latent_patch_size: Latents along a side of a patch; there are two tokens per patch.
        envmap_ray_dir_map_patch_size: Directions along a side of the same patch.
        envmap_encoder_norm_type: Norm after the encoders of environment maps.
        use_volumes: Whether the model has an encoder of volumes.
        volume_density_input_dim: Voxels of a volume token.
        surface: What the texture encoder reads: the latents of the VAE (published), or the values themselves: diffuse
            and specular colour, roughness and normal, 10 channels.

    Raises:
        InputError: A value is not supported, or fields contradict each other.
    """

    pe_type: str = "rope_only_center"
    rope_type: str = "triangle_center"
    texture_channels: int = 80
    texture_encode_patch_size: int = 4
    turn_to_cam_coord: bool = False
    view_transformer_use_swin_attn: bool = True
    attention: str = WINDOW

    intra_rope_pe_num_freqs: int = 40
    local_attention_window_size_half: int = 256
    summary_block_size: int = 64
    use_env_lighting: bool = True
    envmap_vae_model_id: str = "Qwen/Qwen-Image"
    envmap_latent_channels: int = 16
    envmap_latent_patch_size: int = 8
    envmap_ray_dir_map_patch_size: int = 64
    envmap_encoder_norm_type: str = "rms_norm"
    use_volumes: bool = True
    volume_density_input_dim: int = 64
    surface: str = "latents"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.surface == "values" and self.texture_channels != 10:
            raise InputError(
                "config field surface = 'values' needs texture_channels = 10: diffuse and specular colour, roughness "
                f"and normal; got {self.texture_channels}."
            )

    @property
    def supported(self) -> dict[str, tuple[Any, ...]]:
        """The implemented values of fields that have only some."""
        return SUPPORTED_V2

    @property
    def layer_options(self) -> dict[str, Any]:
        """All options of the mechanism; the half window is a field of the published config."""
        window = {"half_window": self.local_attention_window_size_half} if self.attention == WINDOW else {}
        return window | self.attention_options

    @property
    def material_channels(self) -> int:
        """Channels of the materials that the network reads, emission included."""
        return self.texture_channels + 3

    def for_materials(self) -> "RenderFormerV2Config":
        """The architecture for scenes of constant 13-channel materials: without VAE, environment and volumes."""
        fields: dict[str, Any] = {"surface": "values", "texture_channels": 10}
        return dataclasses.replace(self, **fields, use_env_lighting=False, use_volumes=False)

    @property
    def rope_coordinates(self) -> int:
        """Coordinates of a token by which RoPE rotates: those of its centre."""
        return 3

    @property
    def rope_dim(self) -> int:
        """Channels rotated per coordinate in the view-independent stage."""
        return self.intra_rope_pe_num_freqs

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RenderFormerV2Config":
        """The config with the contents of a config file.

        Args:
            values: Values by field name; fields that are missing have their defaults.

        Returns:
            The config.

        Raises:
            InputError: A field is unknown or has an unsupported value.
        """
        for name, published in PUBLISHED.items():
            if values.get(name, published) != published:
                raise InputError(f"config field {name} = {values[name]!r} is not supported; use {published!r}.")
        fixed = PUBLISHED.keys() | WITHOUT_EFFECT.keys()
        config = super().from_dict({name: value for name, value in values.items() if name not in fixed})
        assert isinstance(config, cls)
        return config

    def to_dict(self) -> dict[str, Any]:
        """The contents of config.json, without fields of our own at their defaults, and without V1's."""
        values = super().to_dict()
        for name in (*V1_ONLY, *(name for name in OWN_FIELDS_V2 if getattr(self, name) == getattr(V2, name))):
            values.pop(name, None)
        return values | PUBLISHED | WITHOUT_EFFECT


def is_v2(values: dict[str, Any]) -> bool:
    """Whether the contents of a config file are those of a RenderFormer-V2."""
    return values.get("pe_type") == "rope_only_center" or values.get("use_triangle_ordering") is True


V2 = RenderFormerV2Config()

V2_BASE = V2.for_materials()

V2_SMALL = dataclasses.replace(
    V2_BASE,
    latent_dim=192,
    num_heads=3,
    dim_feedforward=576,
    num_layers=6,
    num_register_tokens=4,
    intra_rope_pe_num_freqs=20,
    vertex_pe_num_freqs=8,
    view_transformer_latent_dim=192,
    view_transformer_n_heads=3,
    view_transformer_ffn_hidden_dim=576,
    view_transformer_n_layers=4,
    dpt_features=32,
    dpt_out_channels=(24, 32, 64, 128),
)
