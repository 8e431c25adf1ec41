"""Textures of triangles: patches of 32 x 32 texels, and their latents.

The texel in row y and column x of a patch is the point of the triangle with weights ((x + 0.5) / 32, (y + 0.5) / 32,
rest) of its vertices 0, 1, 2. The half of the patch outside the triangle continues the same map; there is no mask.

Channels of a patch: 9 latents of the material (`mappers.py`), the tangent-space normal in -1..1, emitted radiance, and
a height in -1..1. The autoencoder encodes all but the emission, which enters the network as a number per triangle.
"""

import torch
from einops import rearrange
from torch import Tensor

from rfcli.model.v2.vae import ImageEncoder

SIDE = 32  # texels along a side of a patch
CHANNELS = 16
MATERIAL, NORMAL, EMISSION, HEIGHT = slice(0, 9), slice(9, 12), slice(12, 15), slice(15, 16)
GROUPS = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (15, 15, 15))  # channels that are encoded as one RGB image


def texel_weights(side: int = SIDE) -> Tensor:
    """[side, side, 3] weights of the three vertices at each texel, row by row."""
    place = (torch.arange(side) + 0.5) / side
    x, y = place.expand(side, -1), place[:, None].expand(-1, side)
    return torch.stack([x, y, 1 - x - y], -1)


def sampled_patches(uv: Tensor, image: Tensor) -> Tensor:
    """Samples an image at the texels of triangles; the image is repeated beyond its edges.

    Args:
        uv: [n, 3, 2] texture coordinates of the vertices; (0, 0) is the upper left corner of the image's first pixel,
            (1, 1) the lower right corner of its last one.
        image: [C, H, W].

    Returns:
        [n, C, 32, 32], bilinear between the centres of pixels.
    """
    height, width = image.shape[-2:]
    points = torch.einsum("yxk,nkc->nyxc", texel_weights().to(uv), uv)
    points = points * points.new_tensor([width, height]) - 0.5
    low = points.floor()
    share = points - low
    columns, rows = ((low[..., axis, None].long() + torch.arange(2)) for axis in (0, 1))
    corners = image[:, (rows % height)[..., :, None], (columns % width)[..., None, :]]  # [C, n, y, x, row, column]
    (x, y) = share.unbind(-1)
    weights = torch.stack([1 - y, y], -1)[..., :, None] * torch.stack([1 - x, x], -1)[..., None, :]
    return torch.einsum("cnyxij,nyxij->ncyx", corners, weights)


def raw_patches(material: Tensor, normal: Tensor | None = None, emission: Tensor | None = None) -> Tensor:
    """Patches from their parts.

    Args:
        material: [n, 9, P, P] latents of the material.
        normal: [n, 3, P, P] tangent-space normals in -1..1; None: flat.
        emission: [n, 3, P, P] emitted radiance; None: 0.

    Returns:
        [n, 16, P, P], of height 0.
    """
    patches = material.new_zeros(len(material), CHANNELS, *material.shape[2:])
    patches[:, MATERIAL] = material
    patches[:, NORMAL] = material.new_tensor([0.0, 0.0, 1.0])[:, None, None] if normal is None else normal
    if emission is not None:
        patches[:, EMISSION] = emission
    return patches


def light_strength(patches: Tensor) -> Tensor:
    """[n, 3] log10(1 + emission) at the first texel of patches [n, 16, P, P]."""
    return torch.log10(1 + patches[:, EMISSION, 0, 0].clamp_min(0))


def encoded_patches(patches: Tensor, vae: ImageEncoder) -> Tensor:
    """The latents of patches.

    Args:
        patches: [n, 16, 32, 32].
        vae: The autoencoder.

    Returns:
        [n, 80, 4, 4]: 16 latents of each group of channels.
    """
    images = torch.stack([patches[:, list(channels)] for channels in GROUPS], 1).flatten(0, 1)
    return rearrange(vae(images), "(n g) c h w -> n (g c) h w", g=len(GROUPS))
