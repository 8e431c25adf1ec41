"""From the light that the tokens carry to the radiance of a pixel, where first-hit visibility is known.

The triangle that a pixel sees is known, so its token need not be searched for by attention: it predicts features of
the light at its three vertices; corners of neighbours that are one point of a smooth surface share the mean of what
they predict, and these features are interpolated to the pixel. With the image features of the view stage they
become what arrives at the surface, diffuse A and specular S, and the surface's own colours finish the pixel:

    radiance = diffuse * A + specular * S + emission

A and S are predicted as log10(1 + .). All light transport is the network's; primary visibility and colours are not.

Which corners of different triangles are one point of a smooth surface.

What arrives at a point does not depend on which of its triangles is asked. Each triangle gives its own estimate; their
mean is less noisy, and the same on both sides of an edge, so that a smooth surface is shaded without facets.

Antialiasing where visibility is known: several rays through each pixel, and the mean of what they see.

What costs is to know the light. It is computed for one ray a pixel; the others take that of the pixel among their
neighbours whose surface is most nearly the one they see, so that at the edge of a ball the wall behind it gets the
wall's light, and finish it with colours of their own (shading apart from visibility, as in multisampling).
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rfcli.model.batch import COLOURS, SceneBatch
from rfcli.model.chunked import by_stretches
from rfcli.model.layers import RMSNorm
from rfcli.model.visibility import SeenSurface, interpolated

CHANNELS = 32
GEOMETRY = 7  # unit normal, unit direction to the camera, roughness
BRIGHTEST = 4.5  # log10; the largest emission of a float16 image is 4.8


class PixelDecoder(nn.Module):
    """Light at the seen surface points, and from it radiance."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token_norm = RMSNorm(dim)
        self.vertex_features = nn.Linear(dim, 3 * CHANNELS, bias=False)
        self.geometry = nn.Conv2d(GEOMETRY, CHANNELS, 1)
        self.mix = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.refine = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.light = nn.Conv2d(CHANNELS, 6, 1)

    def light_at_vertices(self, tokens: Tensor, scenes: SceneBatch) -> Tensor:
        """[B, N, 3 CHANNELS] what the tokens [B, N, C] of the triangles of `scenes` tell of their vertices, which share
        it with their neighbours; the same for every camera."""
        features = by_stretches(lambda part: [self.vertex_features(self.token_norm(tokens[:, part]))], tokens)[0]
        at_vertices = rearrange(features, "b n (k c) -> b n k c", k=3)
        shared = mean_over_shared(at_vertices, shared_vertices(scenes.triangles, scenes.vn))
        return shared.flatten(2)

    def forward(self, vertex_light: Tensor, image_features: Tensor, surface: SeenSurface) -> Tensor:
        """log10(1 + A), then log10(1 + S), of r, g and b: [V, H, H, 6].

        vertex_light: from `light_at_vertices`; image_features [V, CHANNELS, H, H]; surface: what V views see of those
        scenes.
        """
        light = interpolated(vertex_light, surface.triangle, surface.weights)
        geometry = torch.cat([surface.normal, surface.towards, surface.material[..., 6:7]], -1)
        light, geometry = (rearrange(x, "v h w c -> v c h w") for x in (light, geometry))
        features = image_features + light + self.geometry(geometry)
        features = F.silu(self.mix(F.silu(features))) + features
        features = F.silu(self.refine(F.silu(features))) + features
        arriving = F.softplus(self.light(features).float()).clamp_max(BRIGHTEST)
        return rearrange(arriving, "v c h w -> v h w c")


def radiance(light: Tensor, material: Tensor) -> Tensor:
    """[..., 3] of surfaces of material [..., 13] at which light [..., 6] arrives, A and S."""
    diffuse, specular, emission = (material[..., colour] for colour in COLOURS)
    return diffuse * light[..., :3] + specular * light[..., 3:] + emission


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
