"""New models from trained ones: another attention mechanism, other config fields, or more layers."""

import dataclasses
import re
from typing import Any

import torch

from rfcli.attention import find_mechanism
from rfcli.errors import InputError
from rfcli.model.architectures import build
from rfcli.model.checkpoint import MECHANISM
from rfcli.model.config import RenderFormerConfig
from rfcli.model.config_checks import MAX_LAYERS
from rfcli.model.renderformer import RenderFormer
from rfcli.model.traced_light import TracedLightStage

_LAYER = re.compile(r"transformer\.layers\.(\d+)\.(.+)")
_BRANCH_ENDS = ("multihead_attn.out_proj.", "ffn.w2.")  # last tensors of a layer's residual branches


def with_attention(config: RenderFormerConfig, attention: str, **options: Any) -> RenderFormerConfig:
    """The same architecture with another mechanism in the view-independent stage.

    Args:
        config: The architecture.
        attention: Name of the mechanism.
        **options: Options of the mechanism.

    Returns:
        The changed config.

    Raises:
        InputError: The mechanism is unknown.
    """
    find_mechanism(attention)
    return dataclasses.replace(config, attention=attention, attention_options=options)


def convert(model: RenderFormer, attention: str, **options: Any) -> RenderFormer:
    """A copy of a trained model with another attention mechanism.

    Args:
        model: The trained model, unchanged.
        attention: Name of the mechanism.
        **options: Options of the mechanism.

    Returns:
        A model on the same device, in eval mode; parameters of the mechanism itself are new.

    Raises:
        InputError: The mechanism is unknown.
    """
    return _with_weights(model, with_attention(model.config, attention, **options))


def reconfigured(model: RenderFormer, **fields: Any) -> RenderFormer:
    """A copy of a trained model with other values of config fields that do not change its parameters.

    Args:
        model: The trained model, unchanged.
        **fields: Config fields, such as `channels`, `light` or `training_resolution`.

    Returns:
        A model on the same device, in eval mode.

    Raises:
        InputError: A value is not supported, or fields contradict each other.
    """
    return _with_weights(model, dataclasses.replace(model.config, **fields))


def swapped(model: RenderFormer, attention: str | None) -> tuple[RenderFormer, str | None]:
    """The model with another mechanism, and a warning if that needs training first, else None.

    attention None, or the model's own mechanism: the model itself, without a warning.
    """
    if attention is None or attention == model.config.attention:
        return model, None
    return convert(model, attention), untrained_warning(model.config.attention, attention)


def untrained_warning(trained_with: str, attention: str) -> str | None:
    """A warning that this model was not trained with a mechanism; None if the mechanism needs no training."""
    if attention == trained_with or not find_mechanism(attention).needs_training:
        return None
    return (
        f"this model was trained with {trained_with}; with {attention} its images will be wrong until it is fine-tuned"
    )


def with_traced_light(model: RenderFormer) -> RenderFormer:
    """A copy of a trained model whose direct light is traced; its network is to be trained on the remaining light.

    Args:
        model: A trained model with first-hit visibility, unchanged.

    Returns:
        A model on the same device, in eval mode. The last layer of its pixel decoder, which predicted all light, is
        new.

    Raises:
        InputError: The model has no first-hit visibility.
    """
    config = dataclasses.replace(model.config, direct="traced")
    traced = RenderFormer(config).to(next(model.parameters()).device)
    traced.load_state_dict(model.state_dict(), strict=False)
    stage = traced.view_transformer
    assert isinstance(stage, TracedLightStage)
    stage.reset_light()
    return traced.eval()


def deepened(model: RenderFormer, layers: int) -> RenderFormer:
    """A copy of a trained model with more view-independent layers, which renders the same images until trained.

    New layers are copies of old ones whose residual branches end in zero weights, so that they add nothing at first
    (block expansion: Wu et al., LLaMA Pro, arXiv 2401.02415). New layers are distributed evenly behind the old ones.

    Args:
        model: The trained model, unchanged.
        layers: Number of layers of the new model.

    Returns:
        A model on the same device, in eval mode.

    Raises:
        InputError: `layers` is not more than the model has, or above MAX_LAYERS.
    """
    old = model.config.num_layers
    if not old < layers <= MAX_LAYERS:
        raise InputError(f"`layers` {layers} must be more than the model's {old}, and at most {MAX_LAYERS}.")
    deep = build(dataclasses.replace(model.config, num_layers=layers)).to(next(model.parameters()).device)
    sources = [new * old // layers for new in range(layers)]
    trained, state = model.state_dict(), deep.state_dict()
    for name, value in state.items():
        found = _LAYER.fullmatch(name)
        if found is None:
            value.copy_(trained[name])
            continue
        new, part = int(found[1]), found[2]
        source = sources[new]
        if new > sources.index(source) and part.startswith(_BRANCH_ENDS):
            torch.nn.init.zeros_(value)
        else:
            value.copy_(trained[f"transformer.layers.{source}.{part}"])
    return deep.eval()


def _with_weights(model: RenderFormer, config: RenderFormerConfig) -> RenderFormer:
    """A model of this config with the weights of `model`, except for those of attention mechanisms that differ."""
    same = (config.attention, config.attention_options) == (model.config.attention, model.config.attention_options)
    copied = build(config).to(next(model.parameters()).device)
    weights = {name: value for name, value in model.state_dict().items() if same or MECHANISM not in name}
    missing = copied.load_state_dict(weights, strict=False).missing_keys
    assert all(MECHANISM in name for name in missing), missing
    return copied.eval()
