"""Checks of a config: types and ranges of its fields, and fields that contradict each other.

Mistakes raise InputError with the field's name. Fields of parts that are switched off (dpt_features with a linear head)
may have any value of their type: the official config.json always contains all fields.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rfcli.errors import InputError

if TYPE_CHECKING:
    from rfcli.model.config import RenderFormerConfig

MAY_BE_ZERO = {"num_register_tokens", "vdir_num_freqs", "vertex_pe_num_freqs", "vn_pe_num_freqs"}

MAX_NUMBER = 1 << 16  # limit of widths and counts, far beyond any model; refused before memory is allocated
MAX_LAYERS = 256


def _whole(value: Any, minimum: int = 0) -> bool:
    return type(value) is int and minimum <= value <= MAX_NUMBER  # type(): bool is a subclass of int


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_whole, value))


def _options(value: Any) -> bool:
    """Whether all values are text, booleans, null or numbers of moderate size."""
    return isinstance(value, dict) and all(
        option is None
        or isinstance(option, (bool, str))
        or (type(option) in (int, float) and abs(option) <= MAX_NUMBER)
        for option in value.values()
    )


# Allowed values by type annotation: in words, and as a test.
KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    bool: ("true or false", lambda value: type(value) is bool),
    int: (f"a whole number above 0 and up to {MAX_NUMBER}", lambda value: _whole(value, 1)),
    float: ("a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1),
    int | None: ("null or a whole number", lambda value: value is None or _whole(value)),
    tuple[int, ...]: ("a list of whole numbers", _whole_numbers),
    tuple[int, ...] | None: ("null or a list of whole numbers", lambda value: value is None or _whole_numbers(value)),
    dict[str, Any]: (f"an object of options, numbers up to {MAX_NUMBER} or words", _options),
    str: ("a word", lambda value: isinstance(value, str)),
}


def check_type(name: str, kind: Any, value: Any) -> None:
    """Raises InputError if a field's value does not fit its annotation `kind`."""
    words, fits = KINDS.get(kind, ("", lambda _: True))
    if name in MAY_BE_ZERO:
        words, fits = "a whole number", _whole
    if not fits(value):
        raise InputError(f"config field {name} must be {words}, got {value!r}.")


def check_contradictions(config: "RenderFormerConfig") -> None:
    """Raises InputError for the first two fields that contradict each other."""
    for name in ("num_layers", "view_transformer_n_layers"):
        if getattr(config, name) > MAX_LAYERS:
            raise InputError(f"config field {name} = {getattr(config, name)} is too many; {MAX_LAYERS} at most.")
    _check_heads(config)
    if config.pe_type == "nerf":
        _check_nerf(config)
    else:
        _check_rope(config)
    if config.view_transformer_use_swin_attn and not config.view_transformer_include_self_attn:
        raise InputError(
            "config field view_transformer_use_swin_attn needs self-attention, but "
            "view_transformer_include_self_attn is false; set one of them to the other."
        )
    if config.use_dpt_decoder:
        _check_dpt(config)
    if config.visibility == "first-hit":
        _check_radiance_only(config, "visibility = 'first-hit' needs radiance and 13-channel materials")
    elif config.light == "relative":
        raise InputError("config field light = 'relative' needs visibility = 'first-hit'.")
    elif config.direct == "traced":
        raise InputError("config field direct = 'traced' needs visibility = 'first-hit'.")
    if config.channels == "apart":
        _check_radiance_only(config, "channels = 'apart' needs radiance and 13-channel materials")


def _check_heads(config: "RenderFormerConfig") -> None:
    pairs = 1 if config.pe_type == "nerf" else 2  # RoPE rotates pairs of channels
    for dim, heads in (("latent_dim", "num_heads"), ("view_transformer_latent_dim", "view_transformer_n_heads")):
        width, n = getattr(config, dim), getattr(config, heads)
        if width % (pairs * n):
            times = "twice " if pairs == 2 else ""
            raise InputError(f"config field {dim} = {width} must be a multiple of {times}{heads} = {n}.")


def _check_rope(config: "RenderFormerConfig") -> None:
    name = "vertex_pe_num_freqs" if config.pe_type == "rope" else "intra_rope_pe_num_freqs"
    wanted, coordinates = config.rope_dim, config.rope_coordinates
    minimum = 2 if config.rope_double_max_freq else 4  # the highest frequency must be at least the lowest, which is 1
    for heads, width in (("num_heads", config.head_dim), ("view_transformer_n_heads", config.view_head_dim)):
        if width < coordinates * minimum:
            raise InputError(
                f"config field {heads} leaves heads of {width} channels; RoPE of {coordinates} coordinates needs "
                f"{coordinates * minimum} or more, so have fewer heads."
            )
    if wanted % 2 or wanted < minimum:
        raise InputError(f"config field {name} = {wanted} must be an even number of at least {minimum} for RoPE.")
    maximum = config.head_dim // (2 * coordinates) * 2
    if wanted > maximum:
        raise InputError(
            f"config field {name} = {wanted} rotates {coordinates * wanted} of only {config.head_dim} head "
            f"channels; lower it to {maximum} or less."
        )


def _check_nerf(config: "RenderFormerConfig") -> None:
    if config.view_transformer_latent_dim != config.latent_dim:
        raise InputError(
            f"config field view_transformer_latent_dim = {config.view_transformer_latent_dim} must equal latent_dim = "
            f"{config.latent_dim} with pe_type = 'nerf', since the view-dependent stage adds encoded positions to the "
            "triangle tokens."
        )
    if config.token_position_freqs is not None:
        raise InputError(
            "config fields token_position_freqs and pe_type = 'nerf' both encode positions; set one of them."
        )


def _check_dpt(config: "RenderFormerConfig") -> None:
    layers = config.view_transformer_n_layers
    if len(config.dpt_out_channels) != 4 or len(set(config.dpt_layers)) != 4 or len(config.dpt_layers) != 4:
        raise InputError("config fields dpt_out_channels and dpt_out_layers must each name four values.")
    if not all(0 <= layer < layers for layer in config.dpt_layers):
        raise InputError(f"config field dpt_out_layers = {list(config.dpt_layers)} must lie within 0..{layers - 1}.")
    if 0 in config.dpt_out_channels or config.dpt_features < 2:
        raise InputError("config fields dpt_out_channels and dpt_features must be above 0 and above 1.")


def _check_radiance_only(config: "RenderFormerConfig", need: str) -> None:
    for name, needed in (("include_alpha", False), ("use_ldr", False), ("texture_channels", 13)):
        if getattr(config, name) != needed:
            raise InputError(
                f"config field {need}, so {name} must be {str(needed).lower()}, got {getattr(config, name)!r}."
            )
