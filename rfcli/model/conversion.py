"""Softmax to linear: the same trained weights around another attention mechanism."""

import dataclasses
from typing import Any

from rfcli.attention import names
from rfcli.errors import InputError
from rfcli.model.checkpoint import MECHANISM
from rfcli.model.config import RenderFormerConfig
from rfcli.model.renderformer import RenderFormer

NEED_TRAINING = frozenset({"performer", "hedgehog"})  # mechanisms that stand in for softmax only after fine-tuning


def wrong_until_trained(trained_with: str, attention: str) -> str | None:
    """What to say of a model that learned with one mechanism and is run with another; None where it stays right."""
    if attention == trained_with or attention not in NEED_TRAINING:
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
    if attention not in names():
        raise InputError(f"Unknown attention '{attention}'; choose one of: {', '.join(names())}.")
    return dataclasses.replace(config, attention=attention, attention_options=options)


def convert(model: RenderFormer, attention: str, **options: Any) -> RenderFormer:
    """A new model with the weights of `model` (copied) and another mechanism, on the same device, in eval mode."""
    device = next(model.parameters()).device
    converted = RenderFormer(with_attention(model.config, attention, **options)).to(device)
    trained = {name: value for name, value in model.state_dict().items() if MECHANISM not in name}
    absent = converted.load_state_dict(trained, strict=False).missing_keys
    assert all(MECHANISM in name for name in absent), absent
    return converted.eval()
