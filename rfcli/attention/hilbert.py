"""The order of points along a Hilbert curve: points that are near in the order are near in space.

Hilbert, Math. Ann. 38, 1891; the conversion from coordinates is Skilling's (AIP Conf. Proc. 707, 381, 2004).
"""

import torch
from torch import Tensor

BITS = 16  # per axis, as in RenderFormer-V2


def hilbert_codes(grid: Tensor, bits: int = BITS) -> Tensor:
    """The position of grid points along the curve that visits all 2^bits points per axis once.

    Args:
        grid: [..., 3] integer coordinates, 0 to 2^bits - 1.
        bits: Bits of a coordinate, at most 21.

    Returns:
        [...] int64, 0 to 8^bits - 1.
    """
    axes = list(grid.long().unbind(-1))
    for bit in reversed(range(bits)):
        below = (1 << bit) - 1
        for axis in range(3):
            inverted = (axes[axis] >> bit & 1).bool()
            exchanged = torch.where(inverted, 0, (axes[0] ^ axes[axis]) & below)
            axes[0] = torch.where(inverted, axes[0] ^ below, axes[0] ^ exchanged)
            if axis:
                axes[axis] = axes[axis] ^ exchanged
    code = torch.zeros_like(axes[0])
    for bit in reversed(range(bits)):
        for coordinate in axes:
            code = code << 1 | (coordinate >> bit & 1)
    # Each bit becomes the exclusive or of all bits from the top to it: a Gray code becomes a number.
    shift = 1
    while shift < 3 * bits:
        code = code ^ code >> shift
        shift *= 2
    return code


def hilbert_order(points: Tensor) -> Tensor:
    """The order of points along the curve through their bounding box; equal codes keep their order.

    Args:
        points: [N, 3].

    Returns:
        [N] indices.
    """
    if not len(points):
        return torch.zeros(0, dtype=torch.long, device=points.device)
    low, high = points.float().amin(0), points.float().amax(0)
    share = (points.float() - low) / (high - low)  # 0 / 0 along an axis without extent, which counts as 0
    grid = (share * (2**BITS - 1)).nan_to_num(0.0).long()
    return hilbert_codes(grid).argsort(stable=True)
