"""Every switch of the official config, alone and together, against the slow twin."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import rfcli
from rfcli.errors import InputError
from rfcli.model import RenderFormer, RenderFormerConfig, read_checkpoint, save_checkpoint
from tests.model.test_parity import GOLDEN, OTHERS, TOLERANCE, deviation
from tests.support.model_reference import Twin
from tests.support.model_scenes import cameras

SMALL = RenderFormerConfig(
    latent_dim=72,
    num_heads=2,
    dim_feedforward=80,
    num_layers=2,
    num_register_tokens=3,
    texture_encode_patch_size=1,
    vertex_pe_num_freqs=4,
    view_transformer_latent_dim=72,
    view_transformer_n_heads=2,
    view_transformer_ffn_hidden_dim=48,
    view_transformer_n_layers=4,
    dpt_features=8,
    dpt_out_channels=(6, 8, 10, 12),
)
NERF = {"pe_type": "nerf", "vertex_pe_num_freqs": 5}
LAYER_NORM = {"norm_type": "layer_norm", "vn_encoder_norm_type": "layer_norm"}
SWIN = {"view_transformer_use_swin_attn": True}

ALONE: list[dict[str, Any]] = [
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
    {"latent_dim": 144, "vertex_pe_num_freqs": 8},  # the view stage's heads have room for 4 only
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
TOGETHER: list[dict[str, Any]] = [
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
    ({**SWIN, "patch_size": 2}, 16),  # one window: shifted layers see quarters of it
    ({**SWIN, "patch_size": 2}, 32),
    ({**SWIN, "patch_size": 1, **NERF, **LAYER_NORM, "bias": True}, 24),
    ({**SWIN, "patch_size": 2, "qk_norm": False, "use_dpt_decoder": False, "turn_to_cam_coord": False}, 48),
]
RESOLUTIONS: list[tuple[dict[str, Any], int]] = [({}, 8), ({}, 24), ({**NERF, "include_alpha": True}, 40)]
CASES = [(changes, 16) for changes in ALONE + TOGETHER] + WINDOWS + RESOLUTIONS


def random_model(**changes: Any) -> RenderFormer:
    """Every tensor is random, so that a switch that was read wrongly, or not at all, is seen."""
    generator = torch.Generator().manual_seed(7)
    model = RenderFormer(dataclasses.replace(SMALL, **changes))
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "token" in name and parameter.dim() == 3:
            parameter.data = noise
        elif "norm" in name and name.endswith("weight"):
            parameter.data = 1 + 0.3 * noise
        elif name.endswith("bias"):
            parameter.data = 0.2 * noise
        else:
            parameter.data = noise / parameter[0].numel() ** 0.5
    return model.eval()


def random_scenes(config: RenderFormerConfig) -> dict[str, Tensor]:
    """Two scenes of 9 and 6 triangles, each seen by two cameras, textures that vary over the triangle."""
    generator = torch.Generator().manual_seed(3)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    patch = config.texture_encode_patch_size
    texture = uniform(2, 9, config.texture_channels, patch, patch)
    texture[:, 0, -3:] *= 50
    c2w, fov = cameras(scenes=2, views=2)
    c2w[1, :, 2, 3] += 0.3
    return {
        "triangles": uniform(2, 9, 1, 3) - 0.5 + 0.3 * (uniform(2, 9, 3, 3) - 0.5),
        "vn": torch.nn.functional.normalize(uniform(2, 9, 3, 3) - 0.5, dim=-1),
        "mask": torch.arange(9) < torch.tensor([[9], [6]]),
        "texture": texture,
        "c2w": c2w,
        "fov": fov + torch.tensor([[0.0, 7.0], [15.0, -9.0]]),
    }


@pytest.mark.parametrize(("changes", "resolution"), CASES, ids=lambda value: str(value)[:80])
def test_agrees_with_the_twin(changes: dict[str, Any], resolution: int, tmp_path: Path) -> None:
    model = random_model(**changes)
    save_checkpoint(model, tmp_path, "# Random\n")
    loaded = rfcli.load_model(str(tmp_path), device="cpu")
    scenes = random_scenes(model.config)
    twin = Twin(model.config.to_dict(), model.state_dict())
    expected = twin.render(**scenes, resolution=resolution)
    assert twin.w.read == set(model.state_dict())  # each tensor of the checkpoint matters
    image = rfcli.render(loaded, **scenes, resolution=resolution)
    assert image.shape == expected.shape
    assert expected.std() > 1e-3
    assert deviation(image, expected) <= TOLERANCE


@pytest.mark.parametrize("folder", [GOLDEN, OTHERS / "pub-rope-dpt"], ids=lambda path: path.name)
def test_the_twin_agrees_with_the_official_code(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not here; set RF_PARITY to the folder of fixtures")
    arrays = np.load(next(folder.glob("case-*.npz")))
    case = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    model = read_checkpoint(folder)
    twin = Twin(model.config.to_dict(), model.state_dict())
    scenes = {name: case[name] for name in ("triangles", "vn", "mask", "texture", "c2w", "fov")}
    image = twin.render(**scenes, resolution=int(case["resolution"]))
    assert deviation(image, case["output"]) <= 1e-5


def test_a_texture_of_one_value_a_channel_is_a_material() -> None:
    model = random_model(texture_encode_patch_size=1)
    scenes = random_scenes(model.config)
    flat = {**scenes, "texture": scenes["texture"][..., 0, 0]}
    assert torch.equal(rfcli.render(model, **scenes, resolution=16), rfcli.render(model, **flat, resolution=16))


def test_dropout_is_for_training_only() -> None:
    model, plain = random_model(dropout=0.5), random_model()
    scenes = random_scenes(model.config)
    expected = rfcli.render(plain, **scenes, resolution=16)
    assert torch.equal(rfcli.render(model, **scenes, resolution=16), expected)
    noisy = rfcli.render(model.train(), **scenes, resolution=16)
    assert deviation(noisy, expected) > 1e-2


@pytest.mark.parametrize(
    ("changes", "message"), [({"texture_channels": 7}, "13 channels.*reads 7"), ({"texture_encode_patch_size": 2}, "2")]
)
def test_materials_that_the_model_does_not_read_are_named(changes: dict[str, Any], message: str) -> None:
    scenes = random_scenes(dataclasses.replace(SMALL, texture_encode_patch_size=4))
    with pytest.raises(InputError, match=message):
        rfcli.render(random_model(**changes), **scenes, resolution=16)
