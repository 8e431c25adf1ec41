"""Antialiasing where visibility is known: several rays through each pixel, and the mean of what they see.

What costs is to know the light. It is computed for one ray a pixel; the others take that of the pixel among their
neighbours whose surface is most nearly the one they see, so that at the edge of a ball the wall behind it gets the
wall's light, and finish it with colours of their own (shading apart from visibility, as in multisampling).
"""

import torch
from torch import Tensor

from rfcli.model.pixel_decoder import radiance
from rfcli.model.seen_surface import SeenSurface

NEARNESS = 0.05  # what a step along a surface counts beside one out of it


def mean_over_subpixels(log_light: Tensor, surface: SeenSurface, samples: int) -> Tensor:
    """log10(1 + mean radiance) [V, H, H, 3] of samples x samples rays through each pixel.

    log_light [V, H, H, 6] arrives at what the first ray of each pixel sees (`PixelDecoder`); surface: of all rays.
    """
    light, first = torch.pow(10.0, log_light) - 1, surface.every(samples)
    total: Tensor | None = None
    for row in range(samples):
        for column in range(samples):
            arriving, seen = light, first
            if (row, column) != (0, 0):
                seen = surface.every(samples, row, column)
                pixel = _like_surface(first, seen, row > 0, column > 0)
                arriving = light.flatten(0, 2)[pixel]
            shown = radiance(arriving, seen.material)
            total = shown if total is None else total + shown
    assert total is not None
    return torch.log10(1 + total / samples**2)


def _like_surface(first: SeenSurface, seen: SeenSurface, below: bool, right: bool) -> Tensor:
    """[V, H, H] which pixel's first ray, among those around, met the surface that is most like the one `seen`.

    Two points are of one surface where each lies in the plane of the other; where several do so alike, the nearest.
    """
    views, side = first.triangle.shape[:2]
    pixel = torch.arange(views * side * side, device=first.triangle.device).view(views, side, side)
    best, unlike = pixel, _unlikeness(first.place, first.normal, seen)
    for down, along in ((0, 1), (1, 0), (1, 1)):
        if down > below or along > right:
            continue
        there, place, normal = (_shifted(x, down, along) for x in (pixel, first.place, first.normal))
        cost = _unlikeness(place, normal, seen)
        best, unlike = torch.where(cost < unlike, there, best), torch.minimum(cost, unlike)
    return best


def _unlikeness(place: Tensor, normal: Tensor, seen: SeenSurface) -> Tensor:
    """[V, H, H] how far points there are from lying on one surface with those `seen`, in units of the scene."""
    step = place - seen.place
    out = (step * normal).sum(-1).abs() + (step * seen.normal).sum(-1).abs()
    return out + NEARNESS * step.abs().sum(-1)


def _shifted(image: Tensor, down: int, along: int) -> Tensor:
    """[V, H, H, ...] of the pixel below, or to the right; at the border its own."""
    moved = torch.cat([image[:, down:], image[:, image.shape[1] - down :]], 1)
    return torch.cat([moved[:, :, along:], moved[:, :, moved.shape[2] - along :]], 2)
