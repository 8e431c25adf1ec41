"""From light features to pixels: the head of models with first-hit visibility.

The triangle that a pixel sees is known, so attention does not have to find its token. Each token predicts features of
the light at its triangle's three vertices. Vertices of neighbouring triangles that are the same point of a smooth
surface share the mean of their predictions, and these features are interpolated to the pixel. Together with the image
features of the view-dependent stage they are decoded to the incident light, a diffuse part A and a specular part S,
and the surface's own colours give the pixel:

    radiance = diffuse * A + specular * S + emission

A and S are predicted as log10(1 + x).
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rfcli.model.batch import COLOURS, SceneBatch
from rfcli.model.chunked import chunked
from rfcli.model.layers import RMSNorm
from rfcli.model.visibility import SurfaceHits, interpolate

FEATURES = 32  # channels of the light features and of the image features
GEOMETRY_CHANNELS = 7  # unit normal, unit direction to the camera, roughness
MAX_LOG_LIGHT = 4.5  # log10; the largest emission in a float16 image is 10^4.8
VERTEX_STEPS = 1e4  # per unit length: vertices closer than one step are the same point, normals alike
TANGENT_WEIGHT = 0.05  # of distance along a surface relative to distance out of its plane
# Odd 64-bit multipliers (digits of pi), so that different vertices of a scene practically never have equal hashes.
HASH_MULTIPLIERS = tuple(
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


class PixelDecoder(nn.Module):
    """Incident light at the seen surface points."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token_norm = RMSNorm(dim)
        self.vertex_features = nn.Linear(dim, 3 * FEATURES, bias=False)
        self.geometry = nn.Conv2d(GEOMETRY_CHANNELS, FEATURES, 1)
        self.mix = nn.Conv2d(FEATURES, FEATURES, 3, padding=1)
        self.refine = nn.Conv2d(FEATURES, FEATURES, 3, padding=1)
        self.light = nn.Conv2d(FEATURES, 6, 1)

    def light_at_vertices(self, tokens: Tensor, scenes: SceneBatch) -> Tensor:
        """[B, N, 3 FEATURES] light features at the vertices of all triangles, from their tokens [B, N, C].

        They do not depend on the camera.
        """
        features = chunked(lambda part: [self.vertex_features(self.token_norm(tokens[:, part]))], tokens)[0]
        at_vertices = rearrange(features, "b n (k c) -> b n k c", k=3)
        shared = average_shared(at_vertices, shared_vertices(scenes.triangles, scenes.vn))
        return shared.flatten(2)

    def forward(self, vertex_light: Tensor, image_features: Tensor, surface: SurfaceHits) -> Tensor:
        """Decodes the incident light of each pixel.

        Args:
            vertex_light: [B, N, 3 FEATURES] from `light_at_vertices`.
            image_features: [V, FEATURES, H, H], V / B views of each scene.
            surface: One seen point per pixel.

        Returns:
            [V, H, H, 6] log10(1 + A) and log10(1 + S), red, green and blue each.
        """
        light = interpolate(vertex_light, surface.triangle, surface.weights)
        geometry = torch.cat([surface.normal, surface.to_camera, surface.material[..., 6:7]], -1)
        light, geometry = (rearrange(x, "v h w c -> v c h w") for x in (light, geometry))
        features = image_features + light + self.geometry(geometry)
        features = F.silu(self.mix(F.silu(features))) + features
        features = F.silu(self.refine(F.silu(features))) + features
        log_light = F.softplus(self.light(features).float()).clamp_max(MAX_LOG_LIGHT)
        return rearrange(log_light, "v c h w -> v h w c")


def radiance(light: Tensor, material: Tensor) -> Tensor:
    """[..., 3] radiance of surfaces of material [..., 13] under incident light [..., 6], A and S."""
    diffuse, specular, emission = (material[..., colour] for colour in COLOURS)
    return diffuse * light[..., :3] + specular * light[..., 3:] + emission


def shared_vertices(triangles: Tensor, vn: Tensor) -> Tensor:
    """Which vertices of different triangles are the same point of a smooth surface: same position and normal.

    Incident light at a point does not depend on the triangle it is predicted from. Averaging the predictions reduces
    their noise and makes them equal on both sides of an edge, so that smooth surfaces show no facets.

    Args:
        triangles: [B, N, 3, 3] positions.
        vn: [B, N, 3, 3] normals.

    Returns:
        [B, N, 3] int64 from 0 to P - 1, equal for equal vertices of the same scene.
    """
    scene = torch.arange(len(triangles), device=triangles.device).view(-1, 1, 1, 1).expand(*triangles.shape[:3], 1)
    steps = torch.cat([(torch.cat([triangles, vn], -1) * VERTEX_STEPS).round().long(), scene], -1)
    hashes = (steps * torch.tensor(HASH_MULTIPLIERS, device=steps.device)).sum(-1)
    point: Tensor = torch.unique(hashes, return_inverse=True)[1]
    return point


def average_shared(values: Tensor, point: Tensor) -> Tensor:
    """Each vertex's value replaced by the mean over its point. values [B, N, 3, C], point [B, N, 3]."""
    index = point.flatten()
    count = int(index.max()) + 1
    flat = values.flatten(0, 2)
    sums = flat.new_zeros(count, flat.shape[1]).index_add(0, index, flat)
    share = 1 / torch.bincount(index, minlength=count).to(flat.dtype)
    return (sums * share[:, None]).index_select(0, index).view(values.shape)


def average_subpixels(log_light: Tensor, surface: SurfaceHits, samples: int) -> Tensor:
    """Antialiasing: the mean radiance of samples x samples rays through each pixel.

    Light is the expensive part. It is computed for the first ray of each pixel; every other ray takes the light of the
    neighbouring pixel whose surface is most similar to its own, so that at the silhouette of a ball the wall behind it
    gets the wall's light. Each ray uses its own material. (Multisampling likewise shades less often than it tests
    visibility.)

    Args:
        log_light: [V, H, H, 6] incident light at the first ray of each pixel, from `PixelDecoder`.
        surface: Surfaces seen by all rays, H samples along a side.
        samples: Rays along a side of a pixel.

    Returns:
        [V, H, H, 3] log10(1 + mean radiance).
    """
    light, first = torch.pow(10.0, log_light) - 1, surface.every(samples)
    total: Tensor | None = None
    for row in range(samples):
        for column in range(samples):
            ray_light, seen = light, first
            if (row, column) != (0, 0):
                seen = surface.every(samples, row, column)
                pixel = _most_similar_pixel(first, seen, row > 0, column > 0)
                ray_light = light.flatten(0, 2)[pixel]
            ray_radiance = radiance(ray_light, seen.material)
            total = ray_radiance if total is None else total + ray_radiance
    assert total is not None
    return torch.log10(1 + total / samples**2)


def _most_similar_pixel(first: SurfaceHits, seen: SurfaceHits, below: bool, right: bool) -> Tensor:
    """[V, H, H] flat index of the pixel around each ray whose first ray hit the most similar surface.

    Two points are on the same surface if each lies in the plane of the other; among several, the nearest is taken.
    below, right: Whether the pixels below and to the right are neighbours of the ray.
    """
    views, side = first.triangle.shape[:2]
    pixel = torch.arange(views * side * side, device=first.triangle.device).view(views, side, side)
    best, lowest = pixel, _dissimilarity(first.offset, first.normal, seen)
    for down, along in ((0, 1), (1, 0), (1, 1)):
        if down > below or along > right:
            continue
        neighbour, offset, normal = (_shift(x, down, along) for x in (pixel, first.offset, first.normal))
        cost = _dissimilarity(offset, normal, seen)
        best, lowest = torch.where(cost < lowest, neighbour, best), torch.minimum(cost, lowest)
    return best


def _dissimilarity(offset: Tensor, normal: Tensor, seen: SurfaceHits) -> Tensor:
    """[V, H, H] distance of points from lying on one surface with the points `seen`, scene units."""
    step = offset - seen.offset
    out_of_plane = (step * normal).sum(-1).abs() + (step * seen.normal).sum(-1).abs()
    return out_of_plane + TANGENT_WEIGHT * step.abs().sum(-1)


def _shift(image: Tensor, down: int, along: int) -> Tensor:
    """[V, H, H, ...] values of the pixel below or to the right; at the border the pixel's own."""
    moved = torch.cat([image[:, down:], image[:, image.shape[1] - down :]], 1)
    return torch.cat([moved[:, :, along:], moved[:, :, moved.shape[2] - along :]], 2)
