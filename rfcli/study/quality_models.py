"""Which trained model draws the pictures of each mechanism."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rfcli.errors import InputError
from rfcli.model import RenderFormer, convert, load
from rfcli.model.checkpoint import MECHANISM
from rfcli.model.sources import BUNDLED

SAME_WEIGHTS = {"sdpa", "nearfar"}  # softmax and what computes nearly the same: they run each other's weights


@dataclass(frozen=True)
class QualityModel:
    """A model to judge a mechanism by. trained: its weights know the mechanism, or the mechanism needs no training;
    else it is the plain swap of a softmax model's attention, whose pictures say little of what training would give."""

    name: str
    model: RenderFormer
    trained: bool


def quality_models(
    name: str, twins: Sequence[str], attentions: Sequence[str], keys: int | None, device: str
) -> dict[str, QualityModel]:
    """By mechanism, in the order of `attentions`: the twin that was trained with it, else `name` with its attention
    swapped.

    twins: checkpoints, each for the mechanism that its config names. Beside these, a bundled twin of the bundled model
    is found by itself (tiny-performer). keys: of nearfar.
    Raises InputError where a model cannot be read, or a twin's mechanism is not among those that are studied.
    """
    base = load(name, device=device)
    bundled = [f"{name}-{attention}" for attention in attentions if f"{name}-{attention}" in BUNDLED]
    trained: dict[str, QualityModel] = {}
    for twin in (*bundled, *twins):
        model = load(twin, device=device)
        if model.config.attention not in attentions:
            raise InputError(
                f"--twins {twin}: its attention is {model.config.attention}, which is not studied; "
                "add it to --attention or leave the twin out."
            )
        trained[model.config.attention] = QualityModel(twin, model, True)
    return {attention: trained.get(attention) or swapped(name, base, attention, keys) for attention in attentions}


def swapped(name: str, base: RenderFormer, attention: str, keys: int | None) -> QualityModel:
    """The base model with this mechanism, sharing its weights; the model itself where it is its own."""
    own = base.config.attention
    options: dict[str, Any] = {"keys": keys} if attention == "nearfar" and keys is not None else {}
    model = base
    if attention != own or options:
        model = convert(base, attention, **options)
        weights = base.state_dict()
        shared = {name: weights[name] for name in model.state_dict() if name in weights and MECHANISM not in name}
        model.load_state_dict(shared, strict=False, assign=True)
    return QualityModel(name, model, attention == own or {attention, own} <= SAME_WEIGHTS)
