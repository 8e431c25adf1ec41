"""The variational autoencoder of RenderFormer-V2's textures and environment maps: Qwen-Image's, through diffusers.

It is a video autoencoder, used for single frames. Eight by eight pixels become one latent of 16 channels; the mean of
the posterior is used, neither scaled nor shifted. Its weights are a download of their own: without them everything
before and after it can be used and is tested, and tests run the same class with random weights.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from rfcli.errors import InputError

STRIDE, CHANNELS = 8, 16  # pixels along a side of a latent; channels of a latent
IMAGES_AT_ONCE = 64  # bounds memory
FOLDER = "vae"  # in a checkpoint's folder or a Hugging Face repository
FILES = ("config.json", "diffusion_pytorch_model*.safetensors*")


class ImageEncoder(Protocol):
    """Encodes images to latents."""

    def __call__(self, images: Tensor) -> Tensor:
        """[n, 3, H, W] images in [-1, 1] -> [n, 16, H / 8, W / 8]."""
        ...


class QwenImageVAE:
    """The encoder of Qwen-Image's autoencoder.

    Args:
        autoencoder: A diffusers AutoencoderKLQwenImage, with real or random weights.
    """

    def __init__(self, autoencoder: Any) -> None:
        self.autoencoder = autoencoder.eval()

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """[n, 3, H, W] images in [-1, 1] -> [n, 16, H / 8, W / 8], the means of their posteriors."""
        device = next(self.autoencoder.parameters()).device
        latents = []
        for part in torch.split(images.float(), IMAGES_AT_ONCE):
            posterior = self.autoencoder.encode(part.to(device)[:, :, None]).latent_dist
            latents.append(posterior.mode()[:, :, 0].to(images.device))
        return torch.cat(latents)


def load_vae(name: str, notify: Callable[[str], None] = lambda sentence: None) -> QwenImageVAE:
    """Reads the autoencoder.

    Args:
        name: A folder in the layout of diffusers, or one with the subfolder `vae`; or a Hugging Face id such as
            "Qwen/Qwen-Image", of which only that subfolder is downloaded.
        notify: Called with a sentence that has the size, before a download starts.

    Returns:
        The encoder, on the CPU, float32.

    Raises:
        InputError: diffusers is not installed, there is no such folder or repository, or it has no autoencoder.
    """
    try:
        from diffusers import AutoencoderKLQwenImage
    except ImportError:
        raise InputError("Latents of textures need diffusers; install it with: pip install 'rfcli[v2]'.") from None
    folder = Path(name)
    if not folder.is_dir():
        if name.count("/") != 1 or name.startswith((".", "/", "~")):
            raise InputError(f"`vae` '{name}' is neither a folder nor a Hugging Face id.")
        folder = _download(name, notify)
    folder = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    try:
        options = {"torch_dtype": torch.float32, "local_files_only": True, "low_cpu_mem_usage": False}
        autoencoder = AutoencoderKLQwenImage.from_pretrained(folder, **options)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"`vae` {folder} does not hold Qwen-Image's autoencoder ({reason}); copy it again.") from None
    return QwenImageVAE(autoencoder)


def _download(repository: str, notify: Callable[[str], None]) -> Path:
    """The folder in Hugging Face's cache with the autoencoder's files only."""
    from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    wanted = [f"{FOLDER}/{pattern}" for pattern in FILES]
    try:
        if not isinstance(try_to_load_from_cache(repository, f"{FOLDER}/config.json"), str):
            files = HfApi().model_info(repository, files_metadata=True).siblings or []
            size = sum(file.size or 0 for file in files if file.rfilename.startswith(f"{FOLDER}/"))
            notify(f"Downloading the autoencoder of {repository} from Hugging Face, {size / 1e6:,.0f} MB.")
        return Path(snapshot_download(repository, allow_patterns=wanted))
    except HFValidationError:
        raise InputError(f"`vae` '{repository}' is neither a folder nor a valid Hugging Face id.") from None
    except (HfHubHTTPError, OSError) as error:
        raise InputError(
            f"Could not fetch the autoencoder of '{repository}' from Hugging Face ({type(error).__name__}); go online "
            "once, or give a folder that holds it as `vae`."
        ) from None
