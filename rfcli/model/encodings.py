"""How positions and directions become numbers that a transformer can use.

RoPE's frequencies, and the rotations that they make of positions.
"""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from rfcli.model.config import RenderFormerConfig
from rfcli.model.fused_ops import rotate_for_training


def nerf_encoding(x: Tensor, frequencies: int) -> Tensor:
    """x and its sines and cosines at 2^0 .. 2^(F-1) (Mildenhall et al., NeRF, arXiv 2003.08934, sec. 5.1).

    x [..., C] -> [..., C (2F + 1)]: x itself, then sin(x 2^f), then sin(x 2^f + pi / 2); f varies fastest.
    """
    scaled = x[..., None] * 2.0 ** torch.arange(frequencies, device=x.device, dtype=x.dtype)
    scaled = rearrange(scaled, "... c f -> ... (c f)")
    return torch.cat([x, torch.sin(scaled), torch.sin(scaled + math.pi / 2)], -1)


def nerf_width(channels: int, frequencies: int) -> int:
    """Numbers that `nerf_encoding` makes of `channels`."""
    return channels * (1 + 2 * frequencies)


def rope_frequencies(dim: int, double_max: bool) -> Tensor:
    """[dim / 2] angular frequencies, radians per unit length: geometric, 1 to dim / 2 - 1 (dim - 1 if double_max)."""
    highest = dim - 1 if double_max else dim / 2 - 1
    # on the CPU whatever the default device: on meta, where checkpoints begin, exp2 would load torch's compiler (0.8 s)
    if dim <= 2:
        return torch.ones(dim // 2, device="cpu")
    return torch.exp2(torch.linspace(0.0, math.log2(highest), dim // 2, device="cpu"))


def rope_rotation(vertices: Tensor, frequencies: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines that rotate a token's channel pairs by its nine vertex coordinates.

    vertices [..., 9], frequencies [F] with 9 F <= head_dim / 2 -> cos, sin [..., head_dim / 2] in float32.
    Pair c F + f turns by coordinate c times frequency f; the pairs left over do not turn.
    Su et al., RoFormer, arXiv 2104.09864, with three vertices in place of one position.
    """
    angles = rearrange(vertices.float()[..., None] * frequencies.float(), "... c f -> ... (c f)")
    angles = torch.nn.functional.pad(angles, (0, head_dim // 2 - angles.shape[-1]))
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor] | None) -> Tensor:
    """Turn channel pairs (i, i + D / 2). x [B, H, N, D], cos and sin [B, N, D / 2] -> x's shape and dtype.

    None: x as it is, where positions are not told by rotations.
    """
    if rotation is None:
        return x
    cos, sin = (part[:, None] for part in rotation)
    if x.device.type == "cpu" and torch.is_grad_enabled() and not cos.requires_grad:
        return rotate_for_training(x.float(), cos, sin).to(x.dtype)
    first, second = x.float().chunk(2, -1)
    turned = torch.addcmul(first * cos, second, sin, value=-1), torch.addcmul(second * cos, first, sin)
    return torch.cat(turned, -1).to(x.dtype)


Rotation = tuple[Tensor, Tensor]


class RopeFrequencies(nn.Module):
    """The frequencies as a buffer: checkpoints store them, and what they store is what is used."""

    freqs: Tensor

    def __init__(self, dim: int, double_max: bool) -> None:
        super().__init__()
        self.register_buffer("freqs", rope_frequencies(dim, double_max))

    @classmethod
    def of(cls, config: RenderFormerConfig, dim: int) -> "RopeFrequencies | None":
        """Those of a stage with `dim` rotated channels per coordinate; None where the config tells positions by NeRF
        encodings."""
        return cls(dim, config.rope_double_max_freq) if config.pe_type == "rope" else None


def rotation_by(rope: RopeFrequencies | None, vertices: Tensor, head_dim: int) -> Rotation | None:
    """Cosines and sines [..., head_dim / 2] of vertices [..., 9]; None without RoPE."""
    return None if rope is None else rope_rotation(vertices, rope.freqs, head_dim)
