"""The config of RenderFormer-V2: the published fields, files, and values that are refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from rfcli.errors import InputError
from rfcli.model import read_checkpoint
from rfcli.model.architectures import build
from rfcli.model.checkpoint import read_config
from rfcli.model.v2 import RenderFormerV2Config
from tests.support.v2_scenes import SMALL_V2, V2_GOLDEN

FIXTURE = json.loads((V2_GOLDEN / "volumes" / "config.json").read_text())


def test_published_architecture_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        state = build(RenderFormerV2Config()).state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == 207_578_027  # buffers of RoPE included


def test_config_is_written_as_it_was_read() -> None:
    config = RenderFormerV2Config.from_dict(FIXTURE)
    written = json.loads(json.dumps(config.to_dict()))
    assert {name for name in FIXTURE if written[name] != FIXTURE[name]} == {"custom_init"}  # without effect
    assert written.keys() == FIXTURE.keys()
    assert RenderFormerV2Config.from_dict(written) == config


@pytest.mark.parametrize("attention", ["sdpa", "nearfar", "window"])
def test_other_attention_is_written(attention: str) -> None:
    options = {"window": {"half_window": 5}, "nearfar": {"keys": 64}}.get(attention, {})
    config = dataclasses.replace(SMALL_V2, attention=attention, attention_options=options)
    assert RenderFormerV2Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_yaml_with_other_parts_is_read(tmp_path: Path) -> None:
    parts = {"model_config": FIXTURE, "dataset_config": {"path": "x"}, "trainer_config": {"steps": 3}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(parts))
    (tmp_path / "model.safetensors").symlink_to(V2_GOLDEN / "volumes" / "model.safetensors")
    assert read_checkpoint(tmp_path).config == read_config(V2_GOLDEN / "volumes" / "config.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_flex_attention": False}, "use_flex_attention = False is not supported; use True"),
        ({"triangle_ordering_order": "z"}, "triangle_ordering_order"),
        ({"turn_to_cam_coord": True}, "turn_to_cam_coord"),
        ({"key_weight": "area"}, "key_weight"),
        ({"surface": "values"}, "texture_channels = 10"),
        ({"intra_rope_pe_num_freqs": 50}, "intra_rope_pe_num_freqs = 50"),
        ({"num_layers": "two"}, "num_layers"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_unsupported_values_are_refused_by_name(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    values = FIXTURE | {"texture_channels": 80} | changes
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=message):
        read_config(tmp_path / "config.json")
