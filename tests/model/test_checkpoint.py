"""Checkpoints: reading, writing, the names of their tensors, and errors for files that do not fit."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import rfcli
from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormer, RenderFormerConfig, read_checkpoint, save_checkpoint
from tests.support.model_official import GOLDEN
from tests.support.model_scenes import small_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(small_model(), tmp_path / "model", "# A card\n")
    return tmp_path / "model"


def test_checkpoint_is_read_as_it_was_written(folder: Path) -> None:
    model, loaded = small_model(), read_checkpoint(folder)
    assert not loaded.training
    assert loaded.config == model.config
    state = loaded.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (folder / "README.md").read_text() == "# A card\n"


def test_files_of_a_checkpoint_have_the_same_permissions(folder: Path) -> None:
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


@pytest.mark.parametrize("preset", [name for name in PRESETS if not name.startswith("v2")])
def test_tensor_names_and_shapes_of_presets_are_stable(preset: str) -> None:
    """Published checkpoints and those written by earlier versions have to load (tests/golden/README.md)."""
    golden = json.loads((GOLDEN / "state-dict-names.json").read_text())
    with torch.device("meta"):
        model = RenderFormer(PRESETS[preset])
    tensors = sorted(model.state_dict().items())
    names = {re.sub(r"transformer\.layers\.\d+\.", "transformer.layers.*.", name) for name, _ in tensors}
    expected = set(golden["names"]["published"])
    if PRESETS[preset].visibility == "first-hit":
        expected |= set(golden["names"]["added by first-hit presets"])
    if PRESETS[preset].direct == "traced":
        expected |= set(golden["names"]["added by traced presets"])
    assert names == expected
    listing = "\n".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors)
    assert hashlib.sha256(listing.encode()).hexdigest() == golden["sha256"][preset]


def test_config_without_our_fields_is_the_official_one() -> None:
    official = RenderFormerConfig().to_dict()
    assert not {"attention", "key_weight", "visibility", "token_position_freqs"} & set(official)
    assert RenderFormerConfig.from_dict(json.loads(json.dumps(official))) == RenderFormerConfig()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_model_loads_from_a_folder_or_from_its_weights_file(folder: Path, kind: str) -> None:
    name = folder if kind == "folder" else folder / "model.safetensors"
    assert rfcli.load_model(str(name), device="cpu").config == small_model().config


def change_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_weights_that_do_not_fit_the_config_are_named(folder: Path) -> None:
    change_config(folder, dim_feedforward=100)
    with pytest.raises(InputError, match=r"model\.safetensors.*ffn\.w1\.weight.*\[96, 64\].*\[100, 64\]"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, r"config\.json.*Unknown config field 'colour'"),
        ({"pe_type": "learned"}, r"pe_type = 'learned' is not supported"),
        ({"num_heads": 7}, "latent_dim = 64 must be a multiple"),
        ({"num_layers": 0}, "num_layers must be a whole number above 0"),
        ({"vertex_pe_num_freqs": 12}, "lower it to 6"),
        ({"dpt_out_layers": [0, 1, 2, 9]}, "dpt_out_layers"),
        ({"visibility": "radar"}, "visibility = 'radar'"),
        ({"rope_type": "triangle_mixed"}, "rope_type = 'triangle_mixed'"),
    ],
)
def test_mistakes_in_the_config_are_named(folder: Path, changes: dict[str, object], message: str) -> None:
    change_config(folder, **changes)
    with pytest.raises(InputError, match=message):
        read_checkpoint(folder)


def test_missing_and_broken_files_and_surplus_tensors_are_named(folder: Path) -> None:
    weights = folder / "model.safetensors"
    state = load_file(weights)
    save_file({**state, "extra": torch.zeros(1)}, weights)
    with pytest.raises(InputError, match="'extra'"):
        read_checkpoint(folder)
    save_file({name: value for name, value in state.items() if name != "tri_token"}, weights)
    with pytest.raises(InputError, match="no tensor 'tri_token'"):
        read_checkpoint(folder)
    weights.write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"model\.safetensors is not a readable"):
        read_checkpoint(folder)
    weights.unlink()
    with pytest.raises(InputError, match=r"model\.safetensors is missing"):
        read_checkpoint(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json is not valid JSON"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere", "No model 'nowhere'"), ("./nowhere", "No model"), ("a/b.safetensors", "No model")]
)
def test_unknown_models_are_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rfcli.load_model(name, device="cpu")


def test_missing_network_is_reported_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"Could not fetch 'someone/renderformer'.*folder"):
        rfcli.load_model("someone/renderformer", device="cpu")
