"""The DPT head: image features from four depths of the view transformer (Ranftl et al., arXiv 2103.13413)."""

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class ResidualConvUnit(nn.Module):
    """x + conv(silu(conv(silu(x))))."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))  # type: ignore[no-any-return]


class FusionBlock(nn.Module):
    """Adds a finer level to a coarser one and resizes the sum. The coarsest block has no finer level."""

    def __init__(self, features: int, coarsest: bool) -> None:
        super().__init__()
        if not coarsest:
            self.resConvUnit1 = ResidualConvUnit(features)
        self.resConvUnit2 = ResidualConvUnit(features)
        self.out_conv = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, finer: Tensor | None, size: tuple[int, int]) -> Tensor:
        if finer is not None:
            x = x + self.resConvUnit1(finer)
        x = F.interpolate(self.resConvUnit2(x), size=size, mode="bilinear", align_corners=True)
        return self.out_conv(x)  # type: ignore[no-any-return]


class Scratch(nn.Module):
    """Everything after the resizing of the four levels; named as in the published checkpoints."""

    def __init__(self, features: int, level_channels: tuple[int, ...], out_channels: int) -> None:
        super().__init__()
        for level, channels in enumerate(level_channels, 1):
            setattr(self, f"layer{level}_rn", nn.Conv2d(channels, features, 3, padding=1, bias=False))
            setattr(self, f"refinenet{level}", FusionBlock(features, coarsest=level == 4))
        self.output_conv1 = nn.Conv2d(features, features // 2, 3, padding=1)
        self.output_conv2 = nn.Sequential(
            nn.Conv2d(features // 2, 32, 3, padding=1), nn.SiLU(), nn.Conv2d(32, out_channels, 1)
        )


class DPTHead(nn.Module):
    """Four sequences of patch tokens [V, h w, C] -> [V, out_channels, patch h, patch w]."""

    def __init__(self, dim: int, features: int, level_channels: tuple[int, ...], out_channels: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.projects = nn.ModuleList(nn.Conv2d(dim, channels, 1) for channels in level_channels)
        first, second, _, fourth = level_channels
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(first, first, 4, stride=4),
                nn.ConvTranspose2d(second, second, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(fourth, fourth, 3, stride=2, padding=1),
            ]
        )
        self.scratch = Scratch(features, level_channels, out_channels)

    def forward(self, levels: list[Tensor], height: int, width: int) -> Tensor:
        """Fuses four levels into an image.

        Args:
            levels: Outputs of four view-dependent layers, shallow to deep, [V, h w, C].
            height: h, patches along the image's height.
            width: w, patches along the image's width.

        Returns:
            [V, out_channels, patch h, patch w].
        """
        maps = []
        for level, tokens in enumerate(levels):
            x = self.projects[level](rearrange(tokens, "v (h w) c -> v c h w", h=height))
            x = self.resize_layers[level](x)
            maps.append(getattr(self.scratch, f"layer{level + 1}_rn")(x))

        x = maps[3]
        for level in (3, 2, 1, 0):
            finer = None if level == 3 else maps[level]
            h, w = maps[level - 1].shape[-2:] if level else (2 * maps[0].shape[-2], 2 * maps[0].shape[-1])
            x = getattr(self.scratch, f"refinenet{level + 1}")(x, finer, (h, w))
        x = self.scratch.output_conv1(x)
        size = (self.patch * height, self.patch * width)
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=True)
        return self.scratch.output_conv2(x)  # type: ignore[no-any-return]
