"""The tensors of a checkpoint: one safetensors file, or several with an index, as Hugging Face's libraries write them.

Programs that wrap a model while they train it (torch.compile, DistributedDataParallel, FSDP, activation checkpointing)
leave the names of their wrappers in the names of its tensors, such as `module._orig_mod.tri_token`. They are removed.
"""

import json
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, load_file
from torch import Tensor

from rfcli.errors import InputError
from rfcli.runtime.files import check_not_lfs_pointer, is_text

SUFFIX, INDEX_SUFFIX = ".safetensors", ".safetensors.index.json"
SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.safetensors")  # model-00001-of-00003.safetensors
MAX_INDEX_BYTES = 16_000_000
MAX_SHARDS = 1000
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads all tensors of a checkpoint.

    Args:
        path: The file of weights, NAME.safetensors. If it is missing, its tensors may be in several files, which
            NAME.safetensors.index.json lists. It may also be the path of such an index, or of one of its files.

    Returns:
        The tensors by name, without the names of wrappers, in the formats of the file.

    Raises:
        InputError: A file is missing or broken, is a Git LFS pointer, or is outside the checkpoint's folder.
    """
    index = index_path(path)
    if index.is_file() and (path == index or SHARD.fullmatch(path.name) or not path.exists()):
        return _without_wrappers(_read_shards(index), index)
    return _without_wrappers(_read_file(path), path)


def index_path(path: Path) -> Path:
    """The index that belongs to a file of weights, to one of several files, or to itself."""
    if path.name.endswith(INDEX_SUFFIX):
        return path
    shard = SHARD.fullmatch(path.name)
    return path.with_name((shard[1] if shard else path.name.removesuffix(SUFFIX)) + INDEX_SUFFIX)


def _read_shards(index: Path) -> dict[str, Tensor]:
    """The tensors of all files of an index, each from the file that the index names."""
    places = _read_index(index)
    shards = sorted(set(places.values()))
    if len(shards) > MAX_SHARDS:
        raise InputError(f"{index} lists {len(shards):,} files, more than {MAX_SHARDS:,}; copy the checkpoint again.")
    tensors: dict[str, Tensor] = {}
    for shard in shards:
        found = _read_file(index.with_name(shard))
        for name, place in places.items():
            if place != shard:
                continue
            if name not in found:
                raise InputError(f"{index} says that tensor '{name}' is in {shard}, which lacks it; copy both again.")
            tensors[name] = found[name]
    return tensors


def _read_index(index: Path) -> dict[str, str]:
    """The name of the file of each tensor. Only files in the index's own folder are allowed."""
    check_not_lfs_pointer(index)
    if index.stat().st_size > MAX_INDEX_BYTES:
        raise InputError(f"{index} is too large for an index; copy the checkpoint again.")
    try:
        values: Any = json.loads(index.read_bytes())  # of bytes, UTF-8 or UTF-16 with or without byte order mark
    except (ValueError, RecursionError) as error:
        raise InputError(f"{index} is not valid JSON ({error}); copy the checkpoint again.") from None
    places = values.get("weight_map") if isinstance(values, dict) else None
    if not (isinstance(places, dict) and places and all(isinstance(place, str) for place in places.values())):
        raise InputError(f"{index} has no 'weight_map' of tensors to files; copy the checkpoint again.")
    for place in places.values():
        if not place.endswith(SUFFIX) or re.search(r"[/\\\0]", place):
            raise InputError(f"{index} names {place!r}, which is no {SUFFIX} file of its folder; copy it again.")
    return places


def _read_file(path: Path) -> dict[str, Tensor]:
    if path.is_dir():
        raise InputError(f"{path} is a folder; a checkpoint's weights are a file, so copy it again.")
    if not path.exists():
        raise InputError(f"{path} is missing; {_what_instead(path)}")
    check_not_lfs_pointer(path)
    try:
        # safetensors opens only files whose names are text
        tensors: dict[str, Tensor] = load_file(path) if is_text(path) else load(path.read_bytes())
    except SafetensorError as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}); copy it again.") from None
    return tensors


def _what_instead(path: Path) -> str:
    """What to do about missing weights, from what else is in their folder."""
    if SHARD.fullmatch(path.name) and index_path(path).is_file():
        return f"{index_path(path).name} lists it, so copy it too."
    shards = sorted(file.name for file in path.parent.glob(f"*{SUFFIX}") if SHARD.fullmatch(file.name))
    if shards:
        return f"{shards[0]} is one of several files, so copy their index, {index_path(path).name}, too."
    pickles = sorted(file.name for pattern in PICKLES for file in path.parent.glob(pattern))
    if pickles:
        return (
            f"{pickles[0]} may hold the weights, but as a pickle, which can run any code and is never read: save them "
            f"with safetensors.torch.save_file as {path.name}."
        )
    return "a checkpoint is a folder of config.json and model.safetensors."


def _without_wrappers(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors by their names in the model."""
    plain: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        short = ".".join(part for part in name.split(".") if part not in WRAPPERS)
        if short in plain:
            raise InputError(f"{path} holds tensor '{short}' twice, with and without wrappers; save it again.")
        plain[short] = tensor
    return plain
