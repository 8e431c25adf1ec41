"""Camera rays, one per pixel, in camera space: the camera looks down -Z, +Y is up, +X right."""

import torch
from einops import rearrange
from torch import Tensor


def pixel_directions(fov: Tensor, resolution: int) -> Tensor:
    """Directions through the pixel centres, scaled to z = -1; row 0 is the top.

    fov [V] in degrees, across the square image -> [V, H, W, 3].
    """
    offsets = (torch.arange(resolution, device=fov.device, dtype=fov.dtype) + 0.5) / resolution * 2 - 1
    slope = torch.tan(torch.deg2rad(fov) / 2)[:, None, None]
    x = (slope * offsets).expand(-1, resolution, -1)
    y = (-slope * offsets[:, None]).expand(-1, -1, resolution)
    return torch.stack([x, y, -torch.ones_like(x)], -1)


def pixel_rays(fov: Tensor, resolution: int) -> Tensor:
    """The same directions of unit length."""
    return torch.nn.functional.normalize(pixel_directions(fov, resolution), dim=-1)


def patches(per_pixel: Tensor, patch: int) -> Tensor:
    """Cut images into patches of pixels, features in the order (channel, row, column).

    [V, H, W, C] -> [V, (H / patch) (W / patch), C patch^2].
    """
    return rearrange(per_pixel, "v (h p) (w q) c -> v (h w) (c p q)", p=patch, q=patch)


def to_camera(points: Tensor, c2w: Tensor) -> Tensor:
    """World points in each camera's space. points [B, N, 3], c2w [B, V, 4, 4] -> [B, V, N, 3].

    Turned first, moved then, as the official models do: NeRF positions of high frequency see how a sum was rounded.
    """
    turn, place = c2w[:, :, :3, :3], c2w[:, :, None, :3, 3]
    return points[:, None] @ turn - place @ turn


def to_world(directions: Tensor, c2w: Tensor) -> Tensor:
    """Directions of camera space in the world's. directions [V, H, W, 3], c2w [V, 4, 4] -> [V, H, W, 3]."""
    return torch.einsum("vij,vhwj->vhwi", c2w[:, :3, :3], directions)
