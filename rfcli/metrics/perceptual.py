"""The perceptual term of the loss: LPIPS where its backbone is on disk, else structural similarity."""

from pathlib import Path
from typing import Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

BACKBONE = "vgg16-397923af.pth"  # the name under which torchvision keeps the network that LPIPS compares with


class Perceptual(Protocol):
    """How different two images look: [V, H, W, 3] in 0..1 twice -> a scalar, 0 for equal images, differentiable."""

    name: str

    def __call__(self, image: Tensor, reference: Tensor) -> Tensor: ...


def backbone_on_disk() -> Path | None:
    """Where torchvision's cache holds the backbone of LPIPS; None where it does not."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / BACKBONE
    return path if path.is_file() else None


class LPIPS(nn.Module):
    """Learned perceptual distance (Zhang et al., arXiv 1801.03924), VGG backbone; it expects images in [-1, 1]."""

    name = "lpips"

    def __init__(self) -> None:
        super().__init__()
        import lpips

        self.distance = lpips.LPIPS(net="vgg", verbose=False).eval().requires_grad_(False)

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        a, b = (rearrange(x, "v h w c -> v c h w") * 2 - 1 for x in (image, reference))
        return self.distance(a, b).mean()  # type: ignore[no-any-return]


class Structural(nn.Module):
    """1 - SSIM (Wang et al., 2004), Gaussian windows of 11 pixels."""

    name = "ssim"

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        from pytorch_msssim import ssim

        a, b = (rearrange(x, "v h w c -> v c h w") for x in (image, reference))
        return 1 - ssim(a, b, data_range=1.0)  # type: ignore[no-any-return]


def perceptual_term(device: torch.device) -> Perceptual:
    """LPIPS where its backbone is on disk, else the structural term; `name` says which."""
    term: LPIPS | Structural = LPIPS() if backbone_on_disk() else Structural()
    return term.to(device)
