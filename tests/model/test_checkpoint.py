"""Checkpoints: what is written is read back, and what does not fit is named."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import rfcli
from rfcli.errors import InputError
from rfcli.model import RenderFormerConfig, convert, read_checkpoint, save_checkpoint
from tests.support.model_scenes import cameras, random_batch, small_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(small_model(), tmp_path / "model", "# A card\n")
    return tmp_path / "model"


def test_round_trip(folder: Path) -> None:
    model, again = small_model(), read_checkpoint(folder)
    assert again.config == model.config
    state = again.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_who_may_read_the_config_may_read_the_weights(folder: Path) -> None:
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


def test_a_config_without_our_fields_stays_official() -> None:
    official = RenderFormerConfig().to_dict()
    assert not {"attention", "key_weight", "visibility", "token_position_freqs"} & set(official)
    assert RenderFormerConfig.from_dict(json.loads(json.dumps(official))) == RenderFormerConfig()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_load_takes_a_folder_or_its_weights(folder: Path, kind: str) -> None:
    name = folder if kind == "folder" else folder / "model.safetensors"
    assert rfcli.load_model(str(name), device="cpu").config == small_model().config


def test_converted_models_keep_the_trained_weights_and_survive_a_round_trip(tmp_path: Path) -> None:
    softmax = small_model()
    linear = convert(softmax, "performer", features=32)
    kept = linear.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in softmax.state_dict().items())
    save_checkpoint(linear, tmp_path, "# Linear\n")
    again = rfcli.load_model(str(tmp_path), device="cpu")
    batch, (c2w, fov) = random_batch(), cameras()
    with torch.no_grad():
        expected = linear(batch, c2w, fov, 32)
        assert torch.equal(expected, again(batch, c2w, fov, 32))
        assert not torch.allclose(expected, softmax(batch, c2w, fov, 32), atol=1e-4)
    back = rfcli.load_model(str(tmp_path), attention="sdpa", device="cpu")
    with torch.no_grad():
        assert torch.equal(back(batch, c2w, fov, 32), softmax(batch, c2w, fov, 32))


@pytest.mark.parametrize(
    ("attention", "remedy"),
    [("performer", "rf finetune --performer"), ("hedgehog", "rf finetune --attention hedgehog"), ("nearfar", None)],
)
def test_a_mechanism_that_needs_training_says_so(tmp_path: Path, attention: str, remedy: str | None) -> None:
    save_checkpoint(small_model(), tmp_path, "# Softmax\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert rfcli.load_model(str(tmp_path), attention, "cpu").config.attention == attention
    said = [str(one.message) for one in caught if "until fine-tuned" in str(one.message)]
    assert len(said) == (remedy is not None)
    assert all(
        sentence.endswith(f"with {attention} it will look wrong until fine-tuned: {remedy}") for sentence in said
    )


def test_near_far_attention_takes_any_softmax_model_with_no_training(tmp_path: Path) -> None:
    softmax = small_model()
    pooled = convert(softmax, "nearfar", keys=30)
    assert pooled.state_dict().keys() == softmax.state_dict().keys()
    save_checkpoint(pooled, tmp_path, "# Pooled\n")
    again = rfcli.load_model(str(tmp_path), device="cpu")
    batch, (c2w, fov) = random_batch(triangles=80), cameras()
    with torch.no_grad():
        exact, pooled_image = softmax(batch, c2w, fov, 32), pooled(batch, c2w, fov, 32)
        assert torch.equal(pooled_image, again(batch, c2w, fov, 32))
        assert 0 < (pooled_image - exact).square().mean() < 1e-2 * exact.var()
        whole = convert(softmax, "nearfar", keys=40)
        assert torch.allclose(whole(batch, c2w, fov, 32), exact, atol=1e-5)


def spoil_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_files_that_do_not_belong_together_are_named(folder: Path) -> None:
    spoil_config(folder, dim_feedforward=100)
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
    ],
)
def test_config_mistakes_are_named(folder: Path, changes: dict[str, object], message: str) -> None:
    spoil_config(folder, **changes)
    with pytest.raises(InputError, match=message):
        read_checkpoint(folder)


def test_missing_broken_and_surplus_files(folder: Path) -> None:
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
def test_a_model_that_is_nowhere(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rfcli.load_model(name, device="cpu")


def test_offline_the_hub_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"Could not fetch 'someone/renderformer'.*folder"):
        rfcli.load_model("someone/renderformer", device="cpu")


def test_unknown_attention_and_device(folder: Path) -> None:
    with pytest.raises(InputError, match="Unknown attention 'softmux'"):
        rfcli.load_model(str(folder), attention="softmux", device="cpu")
    with pytest.raises(InputError, match="--device tpu"):
        rfcli.load_model(str(folder), device="tpu")
