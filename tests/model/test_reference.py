"""Every field of the official config, alone and in combinations, against the float64 reference implementation."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rfcli
from rfcli.errors import InputError
from rfcli.model import read_checkpoint, save_checkpoint
from tests.support.model_official import (
    GOLDEN,
    LARGE_GOLDEN,
    SMALL_OFFICIAL,
    TOLERANCE,
    deviation,
    random_model,
    random_scenes,
)
from tests.support.model_reference import Reference

NERF = {"pe_type": "nerf", "vertex_pe_num_freqs": 5}
LAYER_NORM = {"norm_type": "layer_norm", "vn_encoder_norm_type": "layer_norm"}
SWIN = {"view_transformer_use_swin_attn": True}

SINGLE_FIELDS: list[dict[str, Any]] = [
    {},
    {"activation": "gelu"},
    {"bias": True},
    {"norm_type": "layer_norm"},
    {"texture_encoder_norm_type": "layer_norm"},
    {"vn_encoder_norm_type": "layer_norm"},
    {"vn_encoder_norm_type": "none"},
    {"use_vn_encoder": False},
    {"vn_pe_num_freqs": 0},
    {"qk_norm": False},
    {"view_indep_qk_norm": False},
    {"pe_type": "nerf"},
    {"rope_double_max_freq": True},
    {"rope_double_max_freq": True, "vertex_pe_num_freqs": 2},
    {"texture_encode_patch_size": 32},
    {"texture_encode_patch_size": 5},
    {"texture_channels": 7},
    {"num_register_tokens": 0},
    {"view_transformer_latent_dim": 120, "view_transformer_n_heads": 3},
    {"view_transformer_latent_dim": 40, "view_transformer_n_heads": 1},
    {"latent_dim": 144, "vertex_pe_num_freqs": 8},  # the heads of the view-dependent stage are wide enough for 4 only
    {"view_transformer_include_self_attn": False},
    {"vdir_num_freqs": 1},
    {"vdir_num_freqs": 4},
    {"patch_size": 4},
    {"use_dpt_decoder": False},
    {"dpt_out_layers": (4, 0, 2, 1), "view_transformer_n_layers": 5},
    {"turn_to_cam_coord": False},
    {"include_alpha": True},
    {"use_ldr": True},
    {"dropout": 0.5},
]
COMBINATIONS: list[dict[str, Any]] = [
    {**NERF, **LAYER_NORM, "activation": "gelu", "bias": True},
    {**NERF, "vertex_pe_num_freqs": 12},
    {**NERF, **LAYER_NORM, "use_vn_encoder": False, "use_dpt_decoder": False, "turn_to_cam_coord": False},
    {**NERF, "vn_encoder_norm_type": "none", "num_heads": 8, "view_transformer_n_heads": 24, "vertex_pe_num_freqs": 0},
    {**NERF, "view_transformer_include_self_attn": False, "qk_norm": False, "use_ldr": True, "num_register_tokens": 0},
    {**LAYER_NORM, "bias": True, "view_indep_qk_norm": False, "vdir_num_freqs": 2, "turn_to_cam_coord": False},
    {"bias": True, "activation": "gelu", "include_alpha": True, "use_dpt_decoder": False, "use_ldr": True},
    {"view_transformer_latent_dim": 90, "view_transformer_n_heads": 1, "bias": True, "norm_type": "layer_norm"},
]
WINDOWS: list[tuple[dict[str, Any], int]] = [
    ({**SWIN, "patch_size": 2}, 16),  # a single window, which shifted layers split into quarters
    ({**SWIN, "patch_size": 2}, 32),
    ({**SWIN, "patch_size": 1, **NERF, **LAYER_NORM, "bias": True}, 24),
    ({**SWIN, "patch_size": 2, "qk_norm": False, "use_dpt_decoder": False, "turn_to_cam_coord": False}, 48),
]
RESOLUTIONS: list[tuple[dict[str, Any], int]] = [({}, 8), ({}, 24), ({**NERF, "include_alpha": True}, 40)]
CASES = [(changes, 16) for changes in SINGLE_FIELDS + COMBINATIONS] + WINDOWS + RESOLUTIONS


@pytest.mark.parametrize(("changes", "resolution"), CASES, ids=lambda value: str(value)[:80])
def test_render_matches_float64_reference(changes: dict[str, Any], resolution: int, tmp_path: Path) -> None:
    """Also after saving and loading; and the reference has read every tensor of the checkpoint."""
    model = random_model(**changes)
    save_checkpoint(model, tmp_path, "# Random\n")
    loaded = rfcli.load_model(str(tmp_path), device="cpu")
    scenes = random_scenes(model.config)
    reference = Reference(model.config.to_dict(), model.state_dict())
    expected = reference.render(**scenes, resolution=resolution)
    assert reference.w.read == set(model.state_dict())
    image = rfcli.render(loaded, **scenes, resolution=resolution)
    assert image.shape == expected.shape
    assert expected.std() > 1e-3
    assert deviation(image, expected) <= TOLERANCE


@pytest.mark.parametrize(
    "folder", [GOLDEN / "pub-rope-nodpt", LARGE_GOLDEN / "pub-rope-dpt"], ids=lambda path: path.name
)
def test_reference_matches_official_code(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not here; set RF_PARITY to the folder of recordings")
    arrays = np.load(next(folder.glob("case-*.npz")))
    case = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    model = read_checkpoint(folder)
    reference = Reference(model.config.to_dict(), model.state_dict())
    scenes = {name: case[name] for name in ("triangles", "vn", "mask", "texture", "c2w", "fov")}
    image = reference.render(**scenes, resolution=int(case["resolution"]))
    assert deviation(image, case["output"]) <= 1e-5


def test_texture_with_three_axes_is_a_material() -> None:
    model = random_model(texture_encode_patch_size=1)
    scenes = random_scenes(model.config)
    flat = {**scenes, "texture": scenes["texture"][..., 0, 0]}
    assert torch.equal(rfcli.render(model, **scenes, resolution=16), rfcli.render(model, **flat, resolution=16))


def test_dropout_is_active_in_training_only() -> None:
    model, plain = random_model(dropout=0.5), random_model()
    scenes = random_scenes(model.config)
    expected = rfcli.render(plain, **scenes, resolution=16)
    assert torch.equal(rfcli.render(model, **scenes, resolution=16), expected)
    noisy = rfcli.render(model.train(), **scenes, resolution=16)
    assert deviation(noisy, expected) > 1e-2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"texture_channels": 7}, "13 channels.*reads 7"),
        ({"texture_encode_patch_size": 2}, "`texture` is 4 x 4 texels.*reads 2 x 2"),
    ],
)
def test_textures_of_another_size_are_refused(changes: dict[str, Any], message: str) -> None:
    scenes = random_scenes(dataclasses.replace(SMALL_OFFICIAL, texture_encode_patch_size=4))
    with pytest.raises(InputError, match=message):
        rfcli.render(random_model(**changes), **scenes, resolution=16)
