"""Checkpoints with broken, false or contradictory config and weights."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.cli.bad_input.conftest import Refused

State = dict[str, torch.Tensor]
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 13512\n"


@pytest.fixture
def folder(model: Path, tmp_path: Path) -> Path:
    """A valid checkpoint, which the tests modify."""
    return Path(shutil.copytree(model, tmp_path / "model"))


CONFIG: list[tuple[str, dict[str, Any] | str | bytes, list[str]]] = [
    ("empty", "", ["not valid JSON"]),
    ("torn", '{"latent_dim": 48', ["not valid JSON"]),
    ("list", "[]", ["JSON object"]),
    ("latin-1", '{"a": "ö"}'.encode("latin-1"), ["not valid JSON"]),
    ("byte-order-mark", b"\xef\xbb\xbf[]", ["JSON object"]),
    ("git-lfs", LFS_POINTER, ["Git LFS pointer", "`git lfs pull`"]),
    ("nested", "[" * 100_000 + "]" * 100_000, ["not valid JSON"]),
    ("digits", '{"latent_dim": ' + "9" * 5000 + "}", ["not valid JSON"]),
    ("two-megabytes", '{"a": "' + "x" * 2_000_000 + '"}', ["too large"]),
    ("unknown-field", {"colour": 1}, ["Unknown config field 'colour'"]),
    ("nan", '{"dropout": NaN}', ["dropout"]),
    ("dropout-2", {"dropout": 2}, ["dropout"]),
    ("latent-zero", {"latent_dim": 0}, ["latent_dim"]),
    ("latent-negative", {"latent_dim": -48}, ["latent_dim"]),
    ("latent-string", {"latent_dim": "48"}, ["latent_dim"]),
    ("latent-real", {"latent_dim": 48.0}, ["latent_dim"]),
    ("latent-true", {"latent_dim": True}, ["latent_dim"]),
    ("latent-huge", {"latent_dim": 10**9}, ["latent_dim"]),
    ("latent-large", {"latent_dim": 65_536, "num_heads": 2}, ["[1, 1, 65536]", "do not belong together"]),
    ("layers-huge", {"num_layers": 10**9}, ["num_layers"]),
    ("layers-300", {"num_layers": 300}, ["num_layers", "256 at most"]),
    ("layers-3", {"num_layers": 3}, ["transformer.layers.2", "do not belong together"]),
    ("layers-1", {"num_layers": 1}, ["transformer.layers.1", "does not have"]),
    ("heads-7", {"num_heads": 7}, ["latent_dim = 48 must be a multiple"]),
    ("feed-forward", {"dim_feedforward": 65}, ["ffn.w1.weight", "do not belong together"]),
    ("registers", {"num_register_tokens": 3}, ["reg_tokens", "do not belong together"]),
    ("activation-null", {"activation": None}, ["activation"]),
    ("activation-list", {"activation": ["swiglu"]}, ["activation"]),
    ("gelu", {"activation": "gelu"}, ["w3"]),
    ("no-vn-encoder", {"use_vn_encoder": False}, ["vn_encod"]),
    ("dpt-three-channels", {"dpt_out_channels": [8, 8, 8]}, ["dpt_out_channels"]),
    ("dpt-layers", {"dpt_out_layers": [0, 1, 2, 99]}, ["dpt_out_layers"]),
    ("dpt-layers-object", {"dpt_out_layers": {"a": 1}}, ["dpt_out_layers"]),
    ("frequencies", {"vertex_pe_num_freqs": 1000}, ["vertex_pe_num_freqs"]),
    ("patch-huge", {"texture_encode_patch_size": 10**6}, ["texture_encode_patch_size"]),
    ("attention-unknown", {"attention": "softmux"}, ["softmux", "sdpa"]),
    ("attention-number", {"attention": 5}, ["attention"]),
    ("attention-list", {"attention": ["sdpa"]}, ["attention"]),
    ("options-unknown", {"attention_options": {"heat": 1}}, ["heat"]),
    ("options-list", {"attention_options": [1]}, ["attention_options"]),
    ("options-huge", {"attention": "performer", "attention_options": {"features": 10**12}}, ["attention_options"]),
    ("options-word", {"attention": "performer", "attention_options": {"features": "many"}}, ["features"]),
    ("options-negative", {"attention": "nearfar", "attention_options": {"keys": -3}}, ["keys"]),
    ("options-nested", {"attention_options": {"a": {"b": [1]}}}, ["attention_options"]),
    ("visibility", {"visibility": "radar"}, ["visibility"]),
    ("visibility-first-hit", {"visibility": "first-hit"}, ["do not belong together"]),
]


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in CONFIG], ids=[case[0] for case in CONFIG])
def test_invalid_config(
    refused: Refused, folder: Path, scene: Path, content: dict[str, Any] | str | bytes, words: list[str]
) -> None:
    path = folder / "config.json"
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text()) | content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(["render", scene, "--model", folder, "--device", "cpu"], ["config", *words])


def changed(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[State], State]:
    return lambda state: {**state, name: change(state[name]).contiguous()}


def spoiled(tensor: torch.Tensor, value: float) -> torch.Tensor:
    tensor = tensor.clone()
    tensor.view(-1)[0] = value
    return tensor


WEIGHTS: list[tuple[str, Callable[[State], State], list[str]]] = [
    ("none", lambda state: {}, ["no tensor"]),
    ("missing", lambda state: {k: v for k, v in state.items() if k != "tri_token"}, ["no tensor 'tri_token'"]),
    ("surplus", lambda state: {**state, "extra": torch.zeros(2)}, ["'extra'"]),
    ("renamed", lambda state: {f"net.{k}": v for k, v in state.items()}, ["no tensor"]),
    ("wrapped-twice", lambda state: {**state, "module.tri_token": state["tri_token"].clone()}, ["'tri_token' twice"]),
    ("transposed", changed("vn_encoding_proj.weight", lambda t: t.T), ["vn_encoding_proj.weight"]),
    ("flat", changed("vn_encoding_proj.weight", torch.flatten), ["vn_encoding_proj.weight"]),
    ("scalar", changed("tri_token", lambda t: t.sum()), ["tri_token"]),
    ("narrow", changed("tri_token", lambda t: t[..., :5]), ["tri_token"]),
    ("whole-numbers", changed("tri_token", lambda t: t.long()), ["tri_token", "int64"]),
    ("booleans", changed("tri_token", lambda t: t.bool()), ["tri_token", "bool"]),
    ("complex", changed("tri_token", lambda t: t.to(torch.complex64)), ["tri_token", "complex64"]),
    ("nan", changed("tri_token", lambda t: spoiled(t, float("nan"))), ["tri_token", "finite"]),
    ("inf", changed("reg_tokens", lambda t: spoiled(t, float("inf"))), ["reg_tokens", "finite"]),
]


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in WEIGHTS], ids=[case[0] for case in WEIGHTS])
def test_invalid_weights(
    refused: Refused, folder: Path, scene: Path, change: Callable[[State], State], words: list[str]
) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)
    refused(["render", scene, "--model", folder, "--device", "cpu"], ["model.safetensors", *words])


def header(entries: Any, length: int | None = None, data: int = 64) -> bytes:
    """A safetensors file; length: declared length of its header."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(data)


def entry(start: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


HEADERS: list[tuple[str, bytes]] = [
    ("empty", b""),
    ("seven-bytes", b"\1" * 7),
    ("length-huge", header({}, 1 << 62)),
    ("length-beyond-the-file", header({}, 10_000)),
    ("not-json", header(b"not json")),
    ("not-utf-8", header(b'{"\xff": 1}')),
    ("list", header([])),
    ("nested", header(b"[" * 100_000)),
    ("overlap", header({"a": entry(0, 32, [8]), "b": entry(16, 48, [8])}, data=48)),
    ("hole", header({"a": entry(0, 16, [4]), "b": entry(32, 48, [4])}, data=48)),
    ("beyond-the-end", header({"a": entry(0, 1 << 40, [1 << 38])})),
    ("backwards", header({"a": entry(64, 0, [16])})),
    ("shape-lies", header({"a": entry(0, 64, [1000])})),
    ("shape-overflows", header({"a": entry(0, 64, [1 << 62, 1 << 62])})),
    ("shape-negative", header({"a": entry(0, 64, [-16])})),
    ("unknown-type", header({"a": entry(0, 64, [16], "F99")})),
    ("metadata-number", header({"__metadata__": 5})),
    ("git-lfs", LFS_POINTER),
    ("torch-save", b"PK\x03\x04" + bytes(200)),
    ("pickle", b"\x80\x04cos\nsystem\n(S'true'\ntR."),
]


@pytest.mark.parametrize("content", [case[1] for case in HEADERS], ids=[case[0] for case in HEADERS])
def test_invalid_header(refused: Refused, folder: Path, scene: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    refused(["render", scene, "--model", folder, "--device", "cpu"], ["model.safetensors"])


def sharded(folder: Path) -> dict[str, str]:
    """Splits the weights into two files and returns the weight map, which the test writes."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {name: f"model-{1 + i % 2:05d}-of-00002.safetensors" for i, name in enumerate(state)}
    for shard in set(places.values()):
        save_file({name: state[name] for name, place in places.items() if place == shard}, folder / shard)
    return places


INDICES: list[tuple[str, Any, list[str]]] = [
    ("empty", b"", ["not valid JSON"]),
    ("list", [], ["'weight_map'"]),
    ("no-map", {"metadata": {}}, ["'weight_map'"]),
    ("map-of-numbers", {"weight_map": {"tri_token": 1}}, ["'weight_map'"]),
    ("outside", {"weight_map": {"tri_token": "../model.safetensors"}}, ["'../model.safetensors'", "of its folder"]),
    ("absolute", {"weight_map": {"tri_token": "/etc/passwd.safetensors"}}, ["of its folder"]),
    ("pickle", {"weight_map": {"tri_token": "model.bin"}}, ["'model.bin'"]),
    ("absent", {"weight_map": {"tri_token": "model-00009-of-00009.safetensors"}}, ["00009 is missing"]),
    ("elsewhere", {"weight_map": {"nothing": "model-00001-of-00002.safetensors"}}, ["'nothing'", "which lacks it"]),
    ("incomplete", {"weight_map": {"tri_token": "model-00001-of-00002.safetensors"}}, ["no tensor"]),
    ("git-lfs", LFS_POINTER, ["Git LFS pointer"]),
]


@pytest.mark.parametrize(("index", "words"), [case[1:] for case in INDICES], ids=[case[0] for case in INDICES])
def test_invalid_index(refused: Refused, folder: Path, scene: Path, index: Any, words: list[str]) -> None:
    places = sharded(folder)
    if isinstance(index, dict) and "tri_token" in index.get("weight_map", {}) and words == ["no tensor"]:
        index["weight_map"] = {"tri_token": places["tri_token"]}
    content = index if isinstance(index, bytes) else json.dumps(index).encode()
    (folder / "model.safetensors.index.json").write_bytes(content)
    words = [word.replace("00009 is", "00009.safetensors is") for word in words]
    refused(["render", scene, "--model", folder, "--device", "cpu"], words)


def test_one_of_several_files_is_a_pointer_or_missing(refused: Refused, folder: Path, scene: Path) -> None:
    places = sharded(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    shard = folder / "model-00002-of-00002.safetensors"
    shard.write_bytes(LFS_POINTER)
    command = ["render", scene, "--model", folder, "--device", "cpu"]
    refused(command, [str(shard), "Git LFS pointer", "`git lfs pull`"])
    shard.unlink()
    refused(command, [f"{shard} is missing", "model.safetensors.index.json lists it"])
    (folder / "model.safetensors.index.json").unlink()
    refused(command, ["model-00001-of-00002.safetensors is one of several files", "index"])


@pytest.mark.parametrize("name", ["pytorch_model.bin", "checkpoint.pt", "last.ckpt"])
def test_only_a_pickle(refused: Refused, folder: Path, scene: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    refused(["render", scene, "--model", folder, "--device", "cpu"], [name, "never read", "save_file"])


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("how", ["absent", "folder"])
def test_a_missing_or_special_file(refused: Refused, folder: Path, scene: Path, name: str, how: str) -> None:
    (folder / name).unlink()
    if how == "folder":
        (folder / name).mkdir()
    refused(["render", scene, "--model", folder, "--device", "cpu"], [name])


@pytest.mark.parametrize("command", ["finetune", "bench"])
def test_other_commands_that_read_models(refused: Refused, folder: Path, command: str) -> None:
    (folder / "config.json").write_text('{"latent_dim": -1}')
    refused([command, "--from" if command == "finetune" else "--model", folder], ["latent_dim"])
