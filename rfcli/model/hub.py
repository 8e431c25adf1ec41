"""Loading models by name: bundled models, local checkpoints, and the Hugging Face hub."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from rfcli.errors import InputError
from rfcli.model.checkpoint import CONFIG, WEIGHTS, YAML_CONFIG, config_path, read_checkpoint
from rfcli.model.device import pick_device
from rfcli.model.renderformer import RenderFormer
from rfcli.model.tensor_files import INDEX_SUFFIX, SUFFIX
from rfcli.runtime.downloads import progress_bar

BUNDLED = {"tiny": "rf-tiny", "tiny-performer": "rf-tiny-performer"}
WEIGHTS_SUFFIXES = (SUFFIX, INDEX_SUFFIX)
DOWNLOADED = [
    CONFIG,
    YAML_CONFIG,
    WEIGHTS,
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
]  # never a pickle
TRANSFORMER = "transformer_512"  # the model of a repository of RenderFormer-V2, which has several in subfolders
MAPPERS = [f"*_mapper/{file}" for file in (CONFIG, WEIGHTS)]


def load(name: str | Path, device: str = "auto") -> RenderFormer:
    """Loads a model with the attention mechanism it was trained with; see `rfcli.load_model`.

    Args:
        name: See `locate`.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        The model, in eval mode.

    Raises:
        InputError: There is no such model or device, or the checkpoint does not fit its config.
    """
    name = os.fspath(name)
    weights = Path(name).name if name.endswith(WEIGHTS_SUFFIXES) else WEIGHTS
    return read_checkpoint(locate(name), weights).to(pick_device(device))


def locate(name: str) -> Path:
    """The checkpoint folder of a model; models of the Hugging Face hub are downloaded.

    Args:
        name: A bundled model, a folder, a file of weights (or the index of several) with config.json in the same
            folder, or a Hugging Face id `owner/name` or `owner/name@revision` (a branch, a tag or a commit).
            `owner/name:folder` is the model in a subfolder. Of a folder or repository of RenderFormer-V2's models it is
            the one in `transformer_512`.

    Returns:
        The folder.

    Raises:
        InputError: There is no such model.
    """
    if name in BUNDLED:
        return Path(str(files("rfcli") / "weights" / BUNDLED[name]))
    path = Path(name)
    if name and path.is_dir():
        return _with_config(path)
    if name.endswith(WEIGHTS_SUFFIXES) and path.is_file():
        return path.parent
    if not name or not name.isprintable():
        raise InputError(f"No model is called {name!r}; give a bundled one, a checkpoint folder, or a Hugging Face id.")
    repository, _, revision = name.partition("@")
    repository, _, subfolder = repository.partition(":")
    is_file = path.suffix in (SUFFIX, ".json")
    if repository.count("/") == 1 and not name.startswith((".", "/", "~")) and not is_file:
        folder = _download(repository, revision or None, subfolder or TRANSFORMER)
        return _with_config(folder / subfolder)
    bundled = ", ".join(BUNDLED)
    raise InputError(f"No model '{name}': give a bundled one ({bundled}), a checkpoint folder, or a Hugging Face id.")


@contextmanager
def _shown_progress(name: str) -> Iterator[dict[str, Any]]:
    """The argument by which downloads report to `progress_bar`; without it they draw bars of their own."""
    open_bar = progress_bar.get()
    if open_bar is None:
        yield {}
        return
    from tqdm import tqdm

    with open_bar(f"download {name}", "MB") as bar:

        class Reported(tqdm):  # type: ignore[misc]
            """Draws nothing; passes on the number of bytes."""

            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **{**options, "file": io.StringIO()})

            def display(self, *_arguments: Any, **_options: Any) -> None:
                if self.unit == "B" and self.total:
                    bar.show(round(self.n / 1e6), round(self.total / 1e6), "")

        yield {"tqdm_class": Reported}


def _with_config(folder: Path) -> Path:
    """The folder, or its subfolder `transformer_512` if only that one has a config."""
    inner = folder / TRANSFORMER
    return inner if not config_path(folder).exists() and config_path(inner).exists() else folder


def _download(repository: str, revision: str | None, subfolder: str) -> Path:
    """The folder in Hugging Face's cache. Only missing files are fetched, and never a pickle.

    subfolder: the one whose model is fetched, if the repository has several.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    wanted = repository if revision is None else f"{repository}@{revision}"
    try:
        with _shown_progress(wanted) as bars:
            patterns = [*DOWNLOADED, *(f"{subfolder}/{file}" for file in DOWNLOADED), *MAPPERS]
            return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns, **bars))
    except HFValidationError:
        raise InputError(f"'{wanted}' is neither a folder nor a valid Hugging Face id.") from None
    except RevisionNotFoundError:
        raise InputError(
            f"'{repository}' has no revision '{revision}' on Hugging Face; correct the part after @."
        ) from None
    except GatedRepoError:
        raise InputError(
            f"'{repository}' requires consent on Hugging Face; accept the terms on its page, then run `hf auth login`."
        ) from None
    except RepositoryNotFoundError:
        raise InputError(f"'{wanted}' is neither a folder here nor a public model on Hugging Face.") from None
    except RuntimeError:  # of pathlib
        raise InputError(
            f"Hugging Face's cache of models, for '{wanted}', has no place: this user has no home folder; set the "
            "environment variable HF_HOME to a folder."
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise InputError(
            f"Could not fetch '{wanted}' from Hugging Face, nor is it in the local cache "
            f"({type(error).__name__}); go online once, or download its {CONFIG} and {WEIGHTS} into a folder "
            "and give that folder."
        ) from None
