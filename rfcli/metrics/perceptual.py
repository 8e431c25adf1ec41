"""The perceptual term of the loss: LPIPS if its backbone is on disk, else 1 - SSIM."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

from rfcli.errors import InputError

BACKBONE = "vgg16-397923af.pth"  # torchvision's file name for the network whose features LPIPS compares


class PerceptualMetric(Protocol):
    """A differentiable distance between two images.

    Attributes:
        name: "lpips" or "ssim".
        description: The name and, for LPIPS, the hash of its backbone; recorded with a training run.
    """

    name: str
    description: str

    def __call__(self, image: Tensor, reference: Tensor) -> Tensor:
        """Distance of two batches [V, H, W, 3] in 0..1: a scalar, 0 for equal images."""
        ...


def backbone_on_disk() -> Path | None:
    """The backbone of LPIPS in torchvision's cache; None if it is not there."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / BACKBONE
    return path if path.is_file() else None


class LPIPS(nn.Module):
    """Learned perceptual distance with a VGG-16 backbone (Zhang et al., arXiv 1801.03924).

    weights: torchvision's file of the backbone; its classifier is not needed. Raises InputError if the file does not
    contain a VGG-16.
    """

    name = "lpips"

    def __init__(self, weights: Path) -> None:
        super().__init__()
        import lpips

        tensors = _read_tensors(weights)
        self.distance = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
        # torchvision's features.5 is slice2.5 of lpips
        names = {f"features.{name.partition('.')[2]}": name for name in self.distance.net.state_dict()}
        try:
            self.distance.net.load_state_dict({ours: tensors[theirs] for theirs, ours in names.items()})
        except (KeyError, RuntimeError) as error:
            raise _not_a_backbone(weights) from error
        self.distance.eval().requires_grad_(False)
        digest = sha256(weights.read_bytes()).hexdigest()[:8]  # as in torchvision's file names
        self.description = f"lpips, backbone {digest}"

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        a, b = (rearrange(x, "v h w c -> v c h w") * 2 - 1 for x in (image, reference))  # lpips expects -1..1
        return self.distance(a, b).mean()  # type: ignore[no-any-return]


def _read_tensors(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; give `lpips_weights` torchvision's file {BACKBONE}.") from None
    except Exception as error:
        raise _not_a_backbone(path) from error
    if not isinstance(content, dict):
        raise _not_a_backbone(path)
    return content


def _not_a_backbone(path: Path) -> InputError:
    return InputError(f"{path} does not hold a VGG-16; give `lpips_weights` torchvision's file {BACKBONE}.")


class StructuralDistance(nn.Module):
    """1 - SSIM (Wang et al. 2004), Gaussian windows of 11 pixels."""

    name = description = "ssim"

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        from pytorch_msssim import ssim

        a, b = (rearrange(x, "v h w c -> v c h w") for x in (image, reference))
        return 1 - ssim(a, b, data_range=1.0)  # type: ignore[no-any-return]


def perceptual_metric(device: torch.device, lpips_weights: Path | None = None) -> PerceptualMetric:
    """The perceptual term of the loss.

    Args:
        device: Device of its weights.
        lpips_weights: torchvision's file of the backbone of LPIPS; None: the one in torchvision's cache.

    Returns:
        LPIPS if there is a backbone, else 1 - SSIM; its `description` says which.

    Raises:
        InputError: The file does not contain a VGG-16.
    """
    path = lpips_weights or backbone_on_disk()
    metric: LPIPS | StructuralDistance = LPIPS(path) if path else StructuralDistance()
    return metric.to(device)
