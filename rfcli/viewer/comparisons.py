"""The other side of the wipe: the path tracer, another attention mechanism, or another model."""

from collections.abc import Sequence

from rfcli.attention import find_mechanism, names
from rfcli.errors import InputError
from rfcli.model import convert, load
from rfcli.model.conversion import untrained_warning
from rfcli.model.hub import BUNDLED
from rfcli.pictures.renderers import NetworkRenderer
from rfcli.viewer.network_pictures import Checks, NetworkPictures
from rfcli.viewer.page import NOTHING, OTHER_MODEL, PATH_TRACER
from rfcli.viewer.path_traced_pictures import PathTracedPictures

ATTENTION, MODEL = "attention ", "model "  # beginnings of choices


def comparison_choices(renderer: NetworkRenderer) -> Sequence[str]:
    """What a model can be compared with, beside nothing."""
    mechanisms = [f"{ATTENTION}{name}" for name in names() if name != renderer.model.config.attention]
    models = [f"{MODEL}{name}" for name in BUNDLED if name != renderer.name]
    return [PATH_TRACER, *mechanisms, *models, OTHER_MODEL]


def load_comparison(
    left: NetworkPictures, checks: Checks, choice: str, model: str, keys: int
) -> tuple[NetworkPictures | PathTracedPictures | None, str]:
    """The chosen other side, and a note for the user.

    Args:
        left: The side that stays.
        checks: Called between the layers of a network.
        choice: One of `comparison_choices`, or NOTHING.
        model: Name of the model for OTHER_MODEL; empty: no comparison yet.
        keys: Keys per triangle, for mechanisms that have this option.

    Raises:
        InputError: There is no such model.
    """
    if choice == NOTHING:
        return None, ""
    if choice == PATH_TRACER:
        return PathTracedPictures(left.original), ""
    if choice == OTHER_MODEL and not model.strip():
        return None, "Enter a model's folder or Hugging Face id below."
    renderer = left.renderer
    if choice.startswith(ATTENTION):
        name = choice.removeprefix(ATTENTION)
        options = {"keys": keys} if any(option.name == "keys" for option in find_mechanism(name).options) else {}
        warning = untrained_warning(renderer.model.config.attention, name)
        other = NetworkRenderer(renderer.name, convert(renderer.model, name, **options), renderer.precision)
        return NetworkPictures(other, left.original, checks), f"Note: {warning}." if warning else ""
    name = model.strip() if choice == OTHER_MODEL else choice.removeprefix(MODEL)
    loaded = load(name, renderer.device)
    if loaded.config.use_ldr != renderer.model.config.use_ldr:
        raise InputError(f"Model {name} does not predict the same kind of images; choose another.")
    return NetworkPictures(NetworkRenderer(name, loaded, renderer.precision), left.original, checks), ""
