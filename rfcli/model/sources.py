"""Where a model's name leads: the bundled model, a folder, a file of weights, or the Hugging Face hub."""

from importlib.resources import files
from pathlib import Path

from rfcli.errors import InputError
from rfcli.model.checkpoint import CONFIG, WEIGHTS, read_checkpoint
from rfcli.model.conversion import convert
from rfcli.model.device import pick_device
from rfcli.model.renderformer import RenderFormer

BUNDLED = {"tiny": "rf-tiny"}


def locate(name: str) -> Path:
    """The folder of the checkpoint that `name` means. Raises InputError where there is none."""
    if name in BUNDLED:
        return Path(str(files("rfcli") / "weights" / BUNDLED[name]))
    path = Path(name)
    if path.is_dir():
        return path
    if path.suffix == ".safetensors" and path.is_file():
        if path.name != WEIGHTS:
            raise InputError(f"{path}: weights are read from a file named {WEIGHTS} beside its {CONFIG}.")
        return path.parent
    if name.count("/") == 1 and not name.startswith((".", "/")) and not path.suffix:
        return _download(name)
    bundled = ", ".join(BUNDLED)
    raise InputError(f"No model '{name}': give a bundled one ({bundled}), a checkpoint folder, or a Hugging Face id.")


def _download(repository: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, allow_patterns=[CONFIG, WEIGHTS]))
    except HFValidationError:
        raise InputError(f"'{repository}' is neither a folder nor a valid Hugging Face id.") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise InputError(
            f"Could not fetch '{repository}' from Hugging Face, nor is it in the local cache "
            f"({type(error).__name__}); go online once, or download its {CONFIG} and {WEIGHTS} into a folder "
            "and give that folder."
        ) from None


def load(name: str, attention: str | None = None, device: str = "auto") -> RenderFormer:
    """The model called `name`, in eval mode; see `rfcli.load_model`."""
    model = read_checkpoint(locate(name)).to(pick_device(device))
    if attention is not None and attention != model.config.attention:
        model = convert(model, attention)
    return model
