"""Positional encodings: NeRF encodings of numbers, and RoPE rotations by positions."""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from rfcli.model.config import RenderFormerConfig
from rfcli.model.fused_ops import rotate_for_training

Rotation = tuple[Tensor, Tensor]  # cosines and sines [..., N, D / 2]


def nerf_encoding(x: Tensor, frequencies: int) -> Tensor:
    """Appends the sines and cosines of numbers at F frequencies 2^0 .. 2^(F - 1).

    Mildenhall et al., NeRF, arXiv 2003.08934, section 5.1.

    Args:
        x: [..., C].
        frequencies: F.

    Returns:
        [..., C (2 F + 1)]: x, then sin(2^f x), then sin(2^f x + pi / 2); f varies fastest.
    """
    scaled = x[..., None] * 2.0 ** torch.arange(frequencies, device=x.device, dtype=x.dtype)
    scaled = rearrange(scaled, "... c f -> ... (c f)")
    return torch.cat([x, torch.sin(scaled), torch.sin(scaled + math.pi / 2)], -1)


def nerf_width(channels: int, frequencies: int) -> int:
    """Number of channels of `nerf_encoding`."""
    return channels * (1 + 2 * frequencies)


def rope_frequencies(dim: int, double_max: bool) -> Tensor:
    """Angular frequencies of RoPE, radians per unit length: geometric from 1 to dim / 2 - 1.

    Args:
        dim: Channels rotated per coordinate.
        double_max: The largest frequency is dim - 1 instead.

    Returns:
        [dim / 2].
    """
    highest = dim - 1 if double_max else dim / 2 - 1
    # On the CPU whatever the default device: on meta, where checkpoints are built, exp2 would load torch's compiler.
    if dim <= 2:
        return torch.ones(dim // 2, device="cpu")
    return torch.exp2(torch.linspace(0.0, math.log2(highest), dim // 2, device="cpu"))


def rope_rotation(coordinates: Tensor, frequencies: Tensor, head_dim: int) -> Rotation:
    """The rotation of a token's channel pairs by its K coordinates.

    Pair c F + f is rotated by coordinate c times frequency f; the remaining pairs are not rotated. Su et al., RoFormer,
    arXiv 2104.09864, with the nine coordinates of three vertices, or the three of a centre, in place of one position.

    Args:
        coordinates: [..., K].
        frequencies: [F], with K F <= head_dim / 2.
        head_dim: D.

    Returns:
        Cosines and sines [..., D / 2], float32.
    """
    angles = rearrange(coordinates.float()[..., None] * frequencies.float(), "... c f -> ... (c f)")
    angles = torch.nn.functional.pad(angles, (0, head_dim // 2 - angles.shape[-1]))
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rotation: Rotation | None) -> Tensor:
    """Rotates the channel pairs (i, i + D / 2) of x [B, H, N, D]; None leaves x unchanged.

    Args:
        x: Queries or keys.
        rotation: Cosines and sines [B, N, D / 2].

    Returns:
        The shape and dtype of x.
    """
    if rotation is None:
        return x
    cos, sin = (part[:, None] for part in rotation)
    if x.device.type == "cpu" and torch.is_grad_enabled() and not cos.requires_grad:
        return rotate_for_training(x.float(), cos, sin).to(x.dtype)
    first, second = x.float().chunk(2, -1)
    rotated = torch.addcmul(first * cos, second, sin, value=-1), torch.addcmul(second * cos, first, sin)
    return torch.cat(rotated, -1).to(x.dtype)


class RopeFrequencies(nn.Module):
    """The frequencies of a stage as a buffer: checkpoints store them, and the stored values are used."""

    freqs: Tensor

    def __init__(self, dim: int, double_max: bool) -> None:
        super().__init__()
        self.register_buffer("freqs", rope_frequencies(dim, double_max))

    @classmethod
    def of(cls, config: RenderFormerConfig, dim: int) -> "RopeFrequencies | None":
        """For a stage with `dim` rotated channels per coordinate; None if the config uses NeRF encodings instead."""
        return None if config.pe_type == "nerf" else cls(dim, config.rope_double_max_freq)


def rotation_by(rope: RopeFrequencies | None, coordinates: Tensor, head_dim: int) -> Rotation | None:
    """Cosines and sines [..., head_dim / 2] of coordinates [..., K]; None without RoPE."""
    return None if rope is None else rope_rotation(coordinates, rope.freqs, head_dim)
