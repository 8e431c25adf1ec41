"""Softmax to linear: the same trained weights around another attention mechanism.

A deeper model out of a trained one, which at first renders the same pictures.

New layers are copies of old ones whose branches end in zeros, so that they add nothing until trained (block expansion:
Wu et al., LLaMA Pro, arXiv 2401.02415).
"""

import dataclasses
import re
from typing import Any

import torch

from rfcli.attention import find_mechanism
from rfcli.errors import InputError
from rfcli.model.checkpoint import MECHANISM
from rfcli.model.config import RenderFormerConfig
from rfcli.model.renderformer import RenderFormer


def wrong_until_trained(trained_with: str, attention: str) -> str | None:
    """What to say of a model that learned with one mechanism and is run with another; None where it stays right."""
    if attention == trained_with or not find_mechanism(attention).needs_training:
        return None
    command = "rf finetune --performer" if attention == "performer" else f"rf finetune --attention {attention}"
    return f"this model learned with {trained_with}; with {attention} it will look wrong until fine-tuned: {command}"


def swapped(model: RenderFormer, attention: str | None) -> tuple[RenderFormer, str | None]:
    """The model as it is to be run, with that mechanism or, for None, its own; and `wrong_until_trained` of it."""
    if attention is None or attention == model.config.attention:
        return model, None
    return convert(model, attention), wrong_until_trained(model.config.attention, attention)


def with_attention(config: RenderFormerConfig, attention: str, **options: Any) -> RenderFormerConfig:
    """The same architecture with another mechanism in the view-independent stage.

    Raises InputError for a name that no mechanism has.
    """
    find_mechanism(attention)
    return dataclasses.replace(config, attention=attention, attention_options=options)


def convert(model: RenderFormer, attention: str, **options: Any) -> RenderFormer:
    """A new model with the weights of `model` (copied) and another mechanism, on the same device, in eval mode."""
    device = next(model.parameters()).device
    converted = RenderFormer(with_attention(model.config, attention, **options)).to(device)
    trained = {name: value for name, value in model.state_dict().items() if MECHANISM not in name}
    absent = converted.load_state_dict(trained, strict=False).missing_keys
    assert all(MECHANISM in name for name in absent), absent
    return converted.eval()


MOST_LAYERS = 256
_LAYER = re.compile(r"transformer\.layers\.(\d+)\.(.+)")
_ENDS = ("multihead_attn.out_proj.", "ffn.w2.")  # of what a layer adds to the residual stream


def deepened(model: RenderFormer, layers: int) -> RenderFormer:
    """A new model whose view-independent stage has `layers` layers, on the same device, in eval mode.

    Each old layer is followed by its share of the new ones. Raises InputError where that would not make it deeper.
    """
    old = model.config.num_layers
    if not old < layers <= MOST_LAYERS:
        raise InputError(f"--layers {layers} must be more than the model's {old}, and at most {MOST_LAYERS}.")
    deep = RenderFormer(dataclasses.replace(model.config, num_layers=layers)).to(next(model.parameters()).device)
    sources = [new * old // layers for new in range(layers)]
    trained, state = model.state_dict(), deep.state_dict()
    for name, value in state.items():
        found = _LAYER.fullmatch(name)
        if found is None:
            value.copy_(trained[name])
            continue
        new, part = int(found[1]), found[2]
        source = sources[new]
        if new > sources.index(source) and part.startswith(_ENDS):
            torch.nn.init.zeros_(value)
        else:
            value.copy_(trained[f"transformer.layers.{source}.{part}"])
    return deep.eval()
