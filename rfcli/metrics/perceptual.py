"""The perceptual term of the loss: LPIPS where its backbone is on disk, else structural similarity."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

from rfcli.errors import InputError

BACKBONE = "vgg16-397923af.pth"  # the name under which torchvision keeps the network that LPIPS compares with


class Perceptual(Protocol):
    """How different two images look: [V, H, W, 3] in 0..1 twice -> a scalar, 0 for equal images, differentiable.

    name: of the metric. made_of: the name and, where it has one, its backbone, to be recorded."""

    name: str
    made_of: str

    def __call__(self, image: Tensor, reference: Tensor) -> Tensor: ...


def backbone_on_disk() -> Path | None:
    """Where torchvision's cache holds the backbone of LPIPS; None where it does not."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / BACKBONE
    return path if path.is_file() else None


class LPIPS(nn.Module):
    """Learned perceptual distance (Zhang et al., arXiv 1801.03924), VGG-16 backbone; it expects images in [-1, 1].

    backbone: torchvision's file of the network's weights; those of its classifier are not needed.
    Raises InputError where that is not what the file holds.
    """

    name = "lpips"

    def __init__(self, backbone: Path) -> None:
        super().__init__()
        import lpips

        weights = _weights(backbone)
        self.distance = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
        # torchvision's features.5 is slice2.5 of lpips
        names = {f"features.{name.partition('.')[2]}": name for name in self.distance.net.state_dict()}
        try:
            self.distance.net.load_state_dict({name: weights[theirs] for theirs, name in names.items()})
        except (KeyError, RuntimeError) as error:
            raise _no_backbone(backbone) from error
        self.distance.eval().requires_grad_(False)
        self.made_of = f"lpips, backbone {sha256(backbone.read_bytes()).hexdigest()[:8]}"  # as torchvision names it

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        a, b = (rearrange(x, "v h w c -> v c h w") * 2 - 1 for x in (image, reference))
        return self.distance(a, b).mean()  # type: ignore[no-any-return]


def _weights(path: Path) -> dict[str, Any]:
    try:
        given = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; give --lpips-weights torchvision's file {BACKBONE}.") from None
    except Exception as error:
        raise _no_backbone(path) from error
    if not isinstance(given, dict):
        raise _no_backbone(path)
    return given


def _no_backbone(path: Path) -> InputError:
    return InputError(f"{path} does not hold a VGG-16; give --lpips-weights torchvision's file {BACKBONE}.")


class Structural(nn.Module):
    """1 - SSIM (Wang et al., 2004), Gaussian windows of 11 pixels."""

    name = made_of = "ssim"

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        from pytorch_msssim import ssim

        a, b = (rearrange(x, "v h w c -> v c h w") for x in (image, reference))
        return 1 - ssim(a, b, data_range=1.0)  # type: ignore[no-any-return]


def perceptual_term(device: torch.device, backbone: Path | None = None) -> Perceptual:
    """LPIPS where its backbone is given or in torchvision's cache, else the structural term; `made_of` says which."""
    path = backbone or backbone_on_disk()
    term: LPIPS | Structural = LPIPS(path) if path else Structural()
    return term.to(device)
