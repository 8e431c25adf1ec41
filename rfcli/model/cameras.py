"""Camera rays, one per pixel, in camera space: the camera looks down -Z, +Y is up, +X right."""

import torch
from einops import rearrange
from torch import Tensor


def pixel_directions(fov: Tensor, resolution: int) -> Tensor:
    """Directions through the pixel centres, scaled to z = -1; row 0 is the top.

    Args:
        fov: [V] field of view of the square image, degrees.
        resolution: H = W, pixels.

    Returns:
        [V, H, W, 3].
    """
    offsets = (torch.arange(resolution, device=fov.device, dtype=fov.dtype) + 0.5) / resolution * 2 - 1
    slope = torch.tan(torch.deg2rad(fov) / 2)[:, None, None]
    x = (slope * offsets).expand(-1, resolution, -1)
    y = (-slope * offsets[:, None]).expand(-1, -1, resolution)
    return torch.stack([x, y, -torch.ones_like(x)], -1)


def pixel_rays(fov: Tensor, resolution: int) -> Tensor:
    """[V, H, W, 3] unit directions through the pixel centres; see `pixel_directions`."""
    return torch.nn.functional.normalize(pixel_directions(fov, resolution), dim=-1)


def patches(per_pixel: Tensor, patch: int) -> Tensor:
    """Cuts images into patches of pixels: [V, H, W, C] -> [V, M, C patch^2], M = (H / patch) (W / patch).

    The values of a patch have the order (channel, row, column).
    """
    return rearrange(per_pixel, "v (h p) (w q) c -> v (h w) (c p q)", p=patch, q=patch)


def to_camera(points: Tensor, c2w: Tensor) -> Tensor:
    """Transforms points from world space to each camera's space: points [B, N, 3], c2w [B, V, 4, 4] -> [B, V, N, 3].

    Rotated first and translated second, as in the official models: NeRF encodings of high frequency depend on the
    rounding of this sum.
    """
    rotation, position = c2w[:, :, :3, :3], c2w[:, :, None, :3, 3]
    return points[:, None] @ rotation - position @ rotation


def to_world(directions: Tensor, c2w: Tensor) -> Tensor:
    """Rotates directions from camera to world space: directions [V, H, W, 3], c2w [V, 4, 4] -> [V, H, W, 3]."""
    return torch.einsum("vij,vhwj->vhwi", c2w[:, :3, :3], directions)
