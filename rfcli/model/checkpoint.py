"""Checkpoints in the official layout: a directory of config.json, model.safetensors and README.md.

Checkpoints of RenderFormer-V2 may have a config.yaml instead, whose part `model_config` is the architecture. The
weights may also be several files with an index (`rfcli.model.tensor_files`). Nothing is ever unpickled.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from rfcli.errors import InputError
from rfcli.model.architectures import build
from rfcli.model.config import RenderFormerConfig
from rfcli.model.renderformer import RenderFormer
from rfcli.model.tensor_files import read_tensors
from rfcli.runtime.files import check_not_lfs_pointer, replacing

MAX_CONFIG_BYTES = 1_000_000
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
YAML_CONFIG, YAML_PART = "config.yaml", "model_config"
DEFAULT_CARD = """---
license: mit
tags: [renderformer, neural-rendering, global-illumination]
---
# RenderFormer checkpoint
"""
MECHANISM = ".multihead_attn.mechanism."  # part of the names of an attention mechanism's tensors


def save_checkpoint(model: RenderFormer, directory: Path, card: str | None = None) -> None:
    """Writes the three files; each appears complete or not at all.

    Args:
        model: The network.
        directory: Created if missing.
        card: The model card, Markdown. None: an existing card is kept, else a default one is written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with replacing(directory / WEIGHTS) as path:
        save_file(state, path)
    with replacing(directory / CONFIG) as path:
        path.write_text(json.dumps(model.config.to_dict(), indent=2) + "\n", encoding="utf-8")
    shutil.copymode(directory / CONFIG, directory / WEIGHTS)  # safetensors creates files that only their owner can read
    if card is None and (directory / CARD).exists():
        return
    with replacing(directory / CARD) as path:
        path.write_text(DEFAULT_CARD if card is None else card, encoding="utf-8")


def config_path(directory: Path) -> Path:
    """The config of a checkpoint: config.yaml if there is no config.json, else config.json, even if it is missing."""
    yaml_path = directory / YAML_CONFIG
    return yaml_path if yaml_path.is_file() and not (directory / CONFIG).exists() else directory / CONFIG


def read_config(path: Path) -> RenderFormerConfig:
    """Reads a config.json or config.yaml, of RenderFormer or of RenderFormer-V2.

    Args:
        path: The file.

    Returns:
        The config.

    Raises:
        InputError: The file is missing, broken, or has unsupported values.
    """
    import yaml

    from rfcli.model.v2.config import RenderFormerV2Config, is_v2

    is_yaml = path.suffix == Path(YAML_CONFIG).suffix
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise InputError(f"{path} is too large for a config; copy the checkpoint again.")
        check_not_lfs_pointer(path)
        content = path.read_bytes()  # UTF-8 or UTF-16, with or without a byte order mark
        values = yaml.safe_load(content) if is_yaml else json.loads(content)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; a checkpoint is a folder of {CONFIG} and {WEIGHTS}.") from None
    except InputError:
        raise
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        kind = "YAML" if is_yaml else "JSON"
        raise InputError(f"{path} is not valid {kind} ({error}); copy the checkpoint again.") from None
    if isinstance(values, dict):
        values = values.get(YAML_PART, values)
    if not (isinstance(values, dict) and all(isinstance(name, str) for name in values)):
        raise InputError(f"{path} does not hold a JSON object; copy the checkpoint again.")
    try:
        return (RenderFormerV2Config if is_v2(values) else RenderFormerConfig).from_dict(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_checkpoint(directory: Path, weights: str = WEIGHTS) -> RenderFormer:
    """Reads a checkpoint.

    Args:
        directory: Folder with config.json and the weights.
        weights: Name of the file of weights, of its index, or of one of the files of an index; see `read_tensors`.

    Returns:
        The model, in eval mode on the CPU, float32.

    Raises:
        InputError: Files are missing, or the weights do not fit the config.
    """
    config_file = config_path(directory)
    config = read_config(config_file)
    path = directory / weights
    state = read_tensors(path)
    width = tuple(state["tri_token"].shape[-1:]) if "tri_token" in state else (config.latent_dim,)
    if width != (config.latent_dim,):  # checked before a model of the config's width is built
        raise InputError(
            f"{path}: tensor 'tri_token' is {list(state['tri_token'].shape)}, but its {config_file.name} requires "
            f"{[1, 1, config.latent_dim]}; the two do not belong together."
        )
    model = _architecture(config, config_file)
    expected = model.state_dict()
    for name, tensor in expected.items():
        if name not in state:
            raise InputError(
                f"{path} has no tensor '{name}', which its {config_file.name} requires; the two do not belong together."
            )
        if state[name].shape != tensor.shape:
            raise InputError(
                f"{path}: tensor '{name}' is {list(state[name].shape)}, but its {config_file.name} requires "
                f"{list(tensor.shape)}; the two do not belong together."
            )
    surplus = sorted(set(state) - set(expected))
    if surplus:
        raise InputError(f"{path} holds a tensor '{surplus[0]}' that its {config_file.name} does not have; update rf.")
    for name, tensor in state.items():
        if not (tensor.is_floating_point() and bool(torch.isfinite(tensor.float()).all())):
            raise InputError(
                f"{path}: tensor '{name}' ({str(tensor.dtype).removeprefix('torch.')}) does not hold finite real "
                "numbers; copy the checkpoint again, or train it anew."
            )
    model.load_state_dict(state, assign=True)
    return model.float().eval()


def _architecture(config: RenderFormerConfig, path: Path) -> RenderFormer:
    """A model without values. Raises InputError if its mechanism refuses the config's options."""
    try:
        with torch.device("meta"):
            return build(config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: attention = '{config.attention}' with attention_options = {config.attention_options} cannot be "
            f"built ({error}); correct these fields."
        ) from None
