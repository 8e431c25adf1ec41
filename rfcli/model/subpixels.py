"""Antialiasing where visibility is known: several rays through each pixel, and the mean of what they see.

What costs, the view layers, runs once a pixel; only the surfaces that the rays of a pixel meet differ.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rfcli.model.first_hit import FirstHits


def mean_over_subpixels(
    decode: Callable[[FirstHits, Tensor], Tensor], hits: FirstHits, rays: Tensor, samples: int
) -> Tensor:
    """log10(1 + mean radiance) [V, 3, H, H] of samples x samples rays through each pixel.

    decode: log10(1 + radiance) [V, 3, H, H] of one ray a pixel, from its hits and its direction [V, H, H, 3].
    hits and rays [V, samples H, samples H, ...]: of all rays, those of a pixel in a block.
    """
    if samples == 1:
        return decode(hits, rays)
    total: Tensor | None = None
    for row in range(samples):
        for column in range(samples):
            chosen = (slice(None), slice(row, None, samples), slice(column, None, samples))
            some = FirstHits(hits.triangle[chosen], hits.barycentric[chosen], hits.depth[chosen])
            radiance = torch.pow(10.0, decode(some, rays[chosen]))
            total = radiance if total is None else total + radiance
    assert total is not None
    return torch.log10(total / samples**2)
