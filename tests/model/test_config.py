"""The official config.json: its defaults, and that every field has an effect or is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

import rfcli
from rfcli.errors import InputError
from rfcli.model import RenderFormerConfig, read_checkpoint, save_checkpoint
from tests.support.model_official import SMALL_OFFICIAL, random_model, random_scenes
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
# Another value of every field, which changes the parameters or the image, or is refused.
EFFECTIVE = {
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
ONLY_IN_TRAINING = {"dropout"}  # tests/model/test_reference.py


def test_fields_and_defaults_equal_the_official_config() -> None:
    assert json.loads(json.dumps(RenderFormerConfig().to_dict())) == OFFICIAL
    assert RenderFormerConfig.from_dict({}) == RenderFormerConfig.from_dict(OFFICIAL)
    assert RenderFormerConfig.from_dict({"num_layers": 8}).num_heads == 6


def test_every_field_is_tested() -> None:
    assert set(EFFECTIVE) | set(REFUSED) | ONLY_IN_TRAINING == set(OFFICIAL)


@pytest.mark.parametrize("name", EFFECTIVE)
def test_every_field_changes_parameters_or_image(name: str) -> None:
    base: dict[str, Any] = {"rope_double_max_freq": True} if name == "vertex_pe_num_freqs" else {}
    if name == "dpt_out_layers":
        base["view_transformer_n_layers"] = 5
    value = EFFECTIVE[name]
    changes = base | {name: tuple(value) if isinstance(value, list) else value}
    before, after = random_model(**base), random_model(**changes)
    shapes = [{key: tensor.shape for key, tensor in model.state_dict().items()} for model in (before, after)]
    if shapes[0] != shapes[1]:
        return
    buffers = {key: tensor for key, tensor in after.state_dict().items() if key.endswith("freqs")}
    after.load_state_dict(before.state_dict() | buffers)
    scenes = random_scenes(SMALL_OFFICIAL)
    scenes["c2w"], scenes["fov"] = cameras(scenes=2)
    resolution = 64 if name == "view_transformer_use_swin_attn" else 16
    first, second = (rfcli.render(model, **scenes, resolution=resolution) for model in (before, after))
    assert not torch.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("name", REFUSED)
def test_unsupported_values_are_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name} = .* is not supported"):
        RenderFormerConfig.from_dict({name: REFUSED[name]})


@pytest.mark.parametrize("name", OFFICIAL)
def test_values_of_the_wrong_type_are_refused_by_name(name: str) -> None:
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
        ({"vertex_pe_num_freqs": 3}, "even number of at least 4"),
        ({"vertex_pe_num_freqs": 2}, "even number of at least 4"),
        ({"vertex_pe_num_freqs": 0, "rope_double_max_freq": True}, "even number of at least 2"),
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
def test_contradictions_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RenderFormerConfig.from_dict(dataclasses.asdict(SMALL_OFFICIAL) | changes)


def test_fields_of_disabled_parts_are_not_checked_for_contradictions() -> None:
    """The official config.json always contains every field."""
    RenderFormerConfig.from_dict({"use_dpt_decoder": False, "view_transformer_n_layers": 1, "dpt_out_layers": [9]})
    RenderFormerConfig.from_dict({"pe_type": "nerf", "rope_double_max_freq": True, "vertex_pe_num_freqs": 31})


def test_learned_rope_type_computes_the_same_as_triangle(tmp_path: Path) -> None:
    """`triangle_learned` of the official code has no parameters of its own; the field survives saving and loading."""
    plain, learned = random_model(), random_model(rope_type="triangle_learned")
    assert learned.state_dict().keys() == plain.state_dict().keys()
    learned.load_state_dict(plain.state_dict())
    save_checkpoint(learned, tmp_path)
    loaded = read_checkpoint(tmp_path)
    assert loaded.config == learned.config
    assert json.loads((tmp_path / "config.json").read_text())["rope_type"] == "triangle_learned"
    scenes = random_scenes(SMALL_OFFICIAL)
    expected = rfcli.render(plain, **scenes, resolution=16)
    assert torch.equal(rfcli.render(learned, **scenes, resolution=16), expected)
    assert torch.equal(rfcli.render(loaded, **scenes, resolution=16), expected)
