"""Weights in one file or several, with the names of wrappers, and configs with a byte order mark."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import rfcli
from rfcli.errors import InputError
from rfcli.model import save_checkpoint
from rfcli.model.tensor_files import index_path, read_tensors
from tests.support.model_scenes import small_model

INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(small_model(), tmp_path)
    return tmp_path


def assert_loads(name: str | Path) -> None:
    model, expected = rfcli.load_model(name, device="cpu"), small_model().state_dict()
    state = model.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in expected)


def split(folder: Path, shards: int, stem: str = "model", rename: Callable[[str], str] = str) -> list[str]:
    """Replaces the file of weights by several and an index; returns their names."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = [f"{stem}-{number:05d}-of-{shards:05d}.safetensors" for number in range(1, shards + 1)]
    places = {rename(key): names[i % shards] for i, key in enumerate(state)}
    for name in names:
        save_file({rename(key): value for key, value in state.items() if places[rename(key)] == name}, folder / name)
    index = {"metadata": {"total_size": sum(value.nbytes for value in state.values())}, "weight_map": places}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index))
    return names


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_weights_in_several_files(folder: Path, shards: int) -> None:
    first = split(folder, shards)[0]
    assert_loads(folder)
    assert_loads(str(folder))
    assert_loads(folder / INDEX)
    assert_loads(folder / first)


def test_several_files_of_any_name(folder: Path) -> None:
    first = split(folder, 2, "diffusion_pytorch_model")[0]
    assert_loads(folder / "diffusion_pytorch_model.safetensors.index.json")
    assert_loads(folder / first)


def test_one_file_takes_precedence_over_an_index(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    for name in split(folder, 2):
        (folder / name).write_bytes(b"")
    (folder / "model.safetensors").write_bytes(content)
    assert_loads(folder)


WRAPPED: list[Callable[[str], str]] = [
    lambda name: f"module.{name}",
    lambda name: f"_orig_mod.{name}",
    lambda name: f"module._orig_mod.{name}",
    lambda name: f"_orig_mod.module.{name}",
    lambda name: name.replace(".layers.", "._orig_mod.layers."),
    lambda name: f"_fsdp_wrapped_module.{name}".replace(".ffn.", "._checkpoint_wrapped_module.ffn."),
]


@pytest.mark.parametrize("wrap", WRAPPED)
def test_names_of_wrappers_are_removed(folder: Path, wrap: Callable[[str], str]) -> None:
    state = load_file(folder / "model.safetensors")
    save_file({wrap(name): value for name, value in state.items()}, folder / "model.safetensors")
    assert_loads(folder)
    split(folder, 3)
    assert_loads(folder)


def test_real_wrappers_leave_loadable_weights(folder: Path) -> None:
    for wrapped in (torch.compile(small_model()), torch.nn.DataParallel(small_model())):
        save_file(wrapped.state_dict(), folder / "model.safetensors")
        assert any("module" in name or "_orig_mod" in name for name in load_file(folder / "model.safetensors"))
        assert_loads(folder)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_config_and_index_with_a_byte_order_mark(folder: Path, encoding: str) -> None:
    split(folder, 2)
    for name in ("config.json", INDEX):
        text = (folder / name).read_text()
        (folder / name).write_text(text, encoding=encoding)
    assert_loads(folder)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_other_formats_become_float32(folder: Path, dtype: torch.dtype) -> None:
    state = load_file(folder / "model.safetensors")
    save_file({name: value.to(dtype) for name, value in state.items()}, folder / "model.safetensors")
    loaded = rfcli.load_model(folder, device="cpu").state_dict()
    assert all(torch.equal(loaded[name], value.to(dtype).float()) for name, value in state.items())


def test_a_folder_whose_name_is_not_text(folder: Path) -> None:
    strange = folder / "mod\udce9"  # the byte E9, which is not UTF-8
    save_checkpoint(small_model(), strange)
    assert_loads(strange)


def test_index_of_a_path() -> None:
    for name in ("a/model.safetensors", "a/model-00001-of-00002.safetensors", f"a/{INDEX}"):
        assert index_path(Path(name)) == Path("a", INDEX)


def test_a_tensor_in_two_names_is_refused(tmp_path: Path) -> None:
    for first, second in itertools.permutations(["a", "module.a", "_orig_mod.a"], 2):
        save_file({first: torch.zeros(1), second: torch.zeros(1)}, tmp_path / "x.safetensors")
        with pytest.raises(InputError, match="holds tensor 'a' twice"):
            read_tensors(tmp_path / "x.safetensors")
