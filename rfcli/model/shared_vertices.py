"""Which corners of different triangles are one point of a smooth surface.

What arrives at a point does not depend on which of its triangles is asked. Each triangle gives its own estimate; their
mean is less noisy, and the same on both sides of an edge, so that a smooth surface is shaded without facets.
"""

import torch
from torch import Tensor

STEPS = 1e4  # per unit length: corners closer than this are one point, normals closer than this one direction
# Odd 64-bit multipliers (digits of pi), so that two different corners of a scene get one sum as good as never.
MULTIPLIERS = tuple(
    int(digits, 16)
    for digits in (
        "243F6A8885A308D3",
        "13198A2E03707345",
        "24093822299F31D1",
        "082EFA98EC4E6C89",
        "452821E638D01377",
        "3E5466CF34E90C6D",
        "40AC29B7C97C50DD",
    )
)


def shared_vertices(triangles: Tensor, vn: Tensor) -> Tensor:
    """[B, N, 3] int64, 0..P-1: corners with one position and one normal, in one scene, have one number.

    triangles, vn [B, N, 3, 3].
    """
    scene = torch.arange(len(triangles), device=triangles.device).view(-1, 1, 1, 1).expand(*triangles.shape[:3], 1)
    steps = torch.cat([(torch.cat([triangles, vn], -1) * STEPS).round().long(), scene], -1)
    hashed = (steps * torch.tensor(MULTIPLIERS, device=steps.device)).sum(-1)
    point: Tensor = torch.unique(hashed, return_inverse=True)[1]
    return point


def mean_over_shared(values: Tensor, point: Tensor) -> Tensor:
    """Each corner's value replaced by the mean over the corners of its point. values [B, N, 3, C], point [B, N, 3]."""
    index = point.flatten()
    count = int(index.max()) + 1
    flat = values.flatten(0, 2)
    sums = flat.new_zeros(count, flat.shape[1]).index_add(0, index, flat)
    share = 1 / torch.bincount(index, minlength=count).to(flat.dtype)
    return (sums * share[:, None]).index_select(0, index).view(values.shape)
