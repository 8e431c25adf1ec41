"""The official config.json: its defaults, and that no field of it is ignored."""

import dataclasses
import json
from typing import Any

import pytest
import torch

import rfcli
from rfcli.errors import InputError
from rfcli.model import RenderFormerConfig
from tests.model.test_switches import SMALL, random_model, random_scenes
from tests.support.model_scenes import cameras

OFFICIAL = {
    "latent_dim": 768,
    "num_layers": 12,
    "num_heads": 6,
    "dim_feedforward": 3072,
    "num_register_tokens": 16,
    "dropout": 0.0,
    "activation": "swiglu",
    "norm_type": "rms_norm",
    "norm_first": True,
    "view_indep_qk_norm": True,
    "qk_norm": True,
    "bias": False,
    "pe_type": "rope",
    "rope_type": "triangle",
    "rope_double_max_freq": False,
    "vertex_pe_num_freqs": 12,
    "use_vn_encoder": True,
    "vn_pe_num_freqs": 6,
    "vn_encoder_norm_type": "rms_norm",
    "texture_encode_patch_size": 32,
    "texture_channels": 13,
    "texture_encoder_norm_type": "rms_norm",
    "view_transformer_latent_dim": 768,
    "view_transformer_ffn_hidden_dim": 3072,
    "view_transformer_n_heads": 6,
    "view_transformer_n_layers": 6,
    "view_transformer_include_self_attn": True,
    "view_transformer_use_swin_attn": False,
    "vdir_pe_type": "nerf",
    "vdir_num_freqs": 0,
    "patch_size": 8,
    "include_alpha": False,
    "use_dpt_decoder": True,
    "dpt_features": 128,
    "dpt_out_channels": [96, 192, 384, 768],
    "dpt_out_layers": None,
    "turn_to_cam_coord": True,
    "use_ldr": False,
}
# Another value of every field: either it changes what the model is or says, or it is refused.
HONOURED = {
    "latent_dim": 108,
    "num_layers": 3,
    "num_heads": 1,
    "dim_feedforward": 72,
    "num_register_tokens": 2,
    "activation": "gelu",
    "norm_type": "layer_norm",
    "view_indep_qk_norm": False,
    "qk_norm": False,
    "bias": True,
    "pe_type": "nerf",
    "rope_double_max_freq": True,
    "vertex_pe_num_freqs": 2,
    "use_vn_encoder": False,
    "vn_pe_num_freqs": 5,
    "vn_encoder_norm_type": "none",
    "texture_encode_patch_size": 2,
    "texture_channels": 12,
    "texture_encoder_norm_type": "layer_norm",
    "view_transformer_latent_dim": 108,
    "view_transformer_ffn_hidden_dim": 72,
    "view_transformer_n_heads": 1,
    "view_transformer_n_layers": 5,
    "view_transformer_include_self_attn": False,
    "view_transformer_use_swin_attn": True,
    "vdir_num_freqs": 2,
    "patch_size": 4,
    "include_alpha": True,
    "use_dpt_decoder": False,
    "dpt_features": 10,
    "dpt_out_channels": [6, 8, 10, 14],
    "dpt_out_layers": [0, 1, 3, 4],
    "turn_to_cam_coord": False,
    "use_ldr": True,
}
REFUSED = {"norm_first": False, "rope_type": "triangle_mixed", "vdir_pe_type": "rope"}
IN_TRAINING = {"dropout"}  # tests/model/test_switches.py


def test_fields_and_defaults_are_the_official_ones() -> None:
    assert json.loads(json.dumps(RenderFormerConfig().to_dict())) == OFFICIAL
    assert RenderFormerConfig.from_dict({}) == RenderFormerConfig.from_dict(OFFICIAL)
    assert RenderFormerConfig.from_dict({"num_layers": 8}).num_heads == 6


def test_every_field_is_spoken_for() -> None:
    assert set(HONOURED) | set(REFUSED) | IN_TRAINING == set(OFFICIAL)


@pytest.mark.parametrize("name", HONOURED)
def test_another_value_is_another_model(name: str) -> None:
    """With other tensors, or the same ones and another picture."""
    base: dict[str, Any] = {"rope_double_max_freq": True} if name == "vertex_pe_num_freqs" else {}
    if name == "dpt_out_layers":
        base["view_transformer_n_layers"] = 5
    value = HONOURED[name]
    changes = base | {name: tuple(value) if isinstance(value, list) else value}
    before, after = random_model(**base), random_model(**changes)
    shapes = [{key: tensor.shape for key, tensor in model.state_dict().items()} for model in (before, after)]
    if shapes[0] != shapes[1]:
        return
    buffers = {key: tensor for key, tensor in after.state_dict().items() if key.endswith("freqs")}
    after.load_state_dict(before.state_dict() | buffers)
    scenes = random_scenes(SMALL)
    scenes["c2w"], scenes["fov"] = cameras(scenes=2)
    resolution = 64 if name == "view_transformer_use_swin_attn" else 16
    first, second = (rfcli.render(model, **scenes, resolution=resolution) for model in (before, after))
    assert not torch.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_computed_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name} = .* is not supported"):
        RenderFormerConfig.from_dict({name: REFUSED[name]})


@pytest.mark.parametrize("name", OFFICIAL)
def test_values_of_another_kind_are_named(name: str) -> None:
    """A word where a number belongs, a number where a word belongs."""
    wrong = 3.5 if isinstance(OFFICIAL[name], str) else "many"
    with pytest.raises(InputError, match=f"config field {name}"):
        RenderFormerConfig.from_dict({name: wrong})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_layers": True}, "num_layers must be a whole number above 0"),
        ({"bias": 1}, "bias must be true or false"),
        ({"vdir_num_freqs": -1}, "vdir_num_freqs must be a whole number"),
        ({"dropout": 1.5}, "dropout must be a number from 0 to 1"),
        ({"dpt_out_channels": [8, 8.5, 8, 8]}, "dpt_out_channels must be a list of whole numbers"),
        ({"dpt_out_channels": [8, 8, 8]}, "four values"),
        ({"dpt_out_channels": [8, 8, 8, 0]}, "dpt_out_channels"),
        ({"dpt_features": 1}, "dpt_features"),
        ({"dpt_out_layers": []}, "four values"),
        ({"dpt_out_layers": [1, 1, 2, 3]}, "four values"),
        ({"dpt_out_layers": [0, 1, 2, 4]}, r"within 0\.\.3"),
        ({"view_transformer_n_layers": 3}, "dpt_out_layers"),
        ({"latent_dim": 74}, "latent_dim = 74 must be a multiple of twice num_heads = 2"),
        ({"pe_type": "nerf", "num_heads": 5}, "latent_dim = 72 must be a multiple of num_heads = 5"),
        ({"pe_type": "nerf", "view_transformer_latent_dim": 36}, "view_transformer_latent_dim = 36 must equal"),
        ({"pe_type": "nerf", "token_position_freqs": 2}, "token_position_freqs"),
        ({"vertex_pe_num_freqs": 6}, "lower it to 4"),
        ({"vertex_pe_num_freqs": 3}, "even number from 4"),
        ({"vertex_pe_num_freqs": 2}, "even number from 4"),
        ({"vertex_pe_num_freqs": 0, "rope_double_max_freq": True}, "even number from 2"),
        ({"num_heads": 4}, "num_heads leaves heads of 18 channels"),
        ({"view_transformer_n_heads": 3}, "view_transformer_n_heads leaves heads of 24"),
        (
            {"view_transformer_use_swin_attn": True, "view_transformer_include_self_attn": False},
            "view_transformer_use_swin_attn.*view_transformer_include_self_attn",
        ),
        ({"visibility": "first-hit", "use_ldr": True}, "first-hit.*use_ldr"),
        ({"visibility": "first-hit", "include_alpha": True}, "first-hit.*include_alpha"),
        ({"visibility": "first-hit", "texture_channels": 12}, "first-hit.*texture_channels"),
        ({"light": "relative"}, "light = 'relative'.*first-hit"),
    ],
)
def test_contradictions_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RenderFormerConfig.from_dict(dataclasses.asdict(SMALL) | changes)


def test_parts_that_are_switched_off_may_say_anything_of_their_kind() -> None:
    """As in the official config.json, which always holds every field."""
    RenderFormerConfig.from_dict({"use_dpt_decoder": False, "view_transformer_n_layers": 1, "dpt_out_layers": [9]})
    RenderFormerConfig.from_dict({"pe_type": "nerf", "rope_double_max_freq": True, "vertex_pe_num_freqs": 31})
