"""From features to pixels: the head of models with first-hit visibility.

*Lighting* is reflected radiance with the material's colours divided out, for each colour channel: diffuse lighting A,
and specular lighting S, which also depends on the roughness and the view direction. The surface's own colours give

    radiance = diffuse * A + specular * S + emission

The network predicts log10(1 + A) and log10(1 + S). The triangle that a pixel sees is known. Its token predicts features
of the lighting at its three vertices. Vertices of neighbouring triangles that are the same point of a smooth surface
get the mean of their features, which are interpolated to the pixel. They are added to the image features of the
view-dependent stage and decoded to A and S.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rfcli.model.batch import COLOURS, ROUGHNESS, SceneBatch
from rfcli.model.chunked import chunked
from rfcli.model.layers import RMSNorm
from rfcli.model.visibility import SurfaceHits, interpolate

FEATURES = 32  # channels of the features at vertices and of the image features
GEOMETRY_CHANNELS = 7  # unit normal, unit direction to the camera, roughness
MAX_LOG_LIGHTING = 4.5  # log10; the largest emission in a float16 image is 10^4.8
VERTEX_STEPS = 1e4  # per unit length: vertices with the same position and normal, rounded to steps, are one point
DISTANCE_WEIGHT = 0.05  # of the L1 distance of two points, relative to their distances from each other's plane
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
    """Lighting at the seen surface points, from features at vertices, image features and geometry."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token_norm = RMSNorm(dim)
        self.vertex_features = nn.Linear(dim, 3 * FEATURES, bias=False)
        self.geometry = nn.Conv2d(GEOMETRY_CHANNELS, FEATURES, 1)
        self.mix = nn.Conv2d(FEATURES, FEATURES, 3, padding=1)
        self.refine = nn.Conv2d(FEATURES, FEATURES, 3, padding=1)
        self.light = nn.Conv2d(FEATURES, 6, 1)

    def features_at_vertices(self, tokens: Tensor, scenes: SceneBatch) -> Tensor:
        """[S, N, 3 FEATURES] features of the lighting at the vertices of all triangles, from tokens [S, N, C'].

        They do not depend on the camera.
        """
        features = chunked(lambda part: [self.vertex_features(self.token_norm(tokens[:, part]))], tokens)[0]
        at_vertices = rearrange(features, "b n (k c) -> b n k c", k=3)
        shared = average_shared(at_vertices, shared_vertices(scenes.triangles, scenes.vn))
        return shared.flatten(2)

    def forward(self, vertex_features: Tensor, image_features: Tensor, surface: SurfaceHits) -> Tensor:
        """Decodes the lighting of each pixel.

        Args:
            vertex_features: [S, N, 3 FEATURES] from `features_at_vertices`.
            image_features: [S V, FEATURES, H, H].
            surface: The surface seen by one ray of each pixel, for S V views.

        Returns:
            [S V, H, H, 6] log10(1 + A) and log10(1 + S), red, green and blue each.
        """
        surface_features = interpolate(vertex_features, surface.triangle, surface.weights)
        geometry = torch.cat([surface.normal, surface.to_camera, surface.material[..., ROUGHNESS]], -1)
        surface_features, geometry = (rearrange(x, "v h w c -> v c h w") for x in (surface_features, geometry))
        features = image_features + surface_features + self.geometry(geometry)
        features = F.silu(self.mix(F.silu(features))) + features
        features = F.silu(self.refine(F.silu(features))) + features
        log_lighting = F.softplus(self.light(features).float()).clamp_max(MAX_LOG_LIGHTING)
        return rearrange(log_lighting, "v c h w -> v h w c")


def radiance(lighting: Tensor, material: Tensor) -> Tensor:
    """[..., 3] radiance of surfaces of material [..., 13] under lighting [..., 6], A and S."""
    diffuse, specular, emission = (material[..., colour] for colour in COLOURS)
    return diffuse * lighting[..., :3] + specular * lighting[..., 3:] + emission


def shared_vertices(triangles: Tensor, vn: Tensor) -> Tensor:
    """Which vertices of different triangles are the same point of a smooth surface: same position and normal.

    Lighting at a point does not depend on the triangle it is predicted from. Averaging the predictions reduces their
    noise and makes them equal on both sides of an edge, so that smooth surfaces show no facets.

    Args:
        triangles: [B, N, 3, 3] positions.
        vn: [B, N, 3, 3] normals.

    Returns:
        [B, N, 3] int64 numbers of the distinct points, from 0; equal for equal vertices of the same scene.
    """
    scene = torch.arange(len(triangles), device=triangles.device).view(-1, 1, 1, 1).expand(*triangles.shape[:3], 1)
    steps = torch.cat([(torch.cat([triangles, vn], -1) * VERTEX_STEPS).round().long(), scene], -1)
    hashes = (steps * torch.tensor(HASH_MULTIPLIERS, device=steps.device)).sum(-1)
    point: Tensor = torch.unique(hashes, return_inverse=True)[1]
    return point


def average_shared(values: Tensor, point: Tensor) -> Tensor:
    """Values of vertices [B, N, 3, C], each replaced by the mean over all vertices of its point [B, N, 3]."""
    index = point.flatten()
    count = int(index.max()) + 1
    flat = values.flatten(0, 2)
    sums = flat.new_zeros(count, flat.shape[1]).index_add(0, index, flat)
    share = 1 / torch.bincount(index, minlength=count).to(flat.dtype)
    return (sums * share[:, None]).index_select(0, index).view(values.shape)


def average_subpixels(log_lighting: Tensor, surface: SurfaceHits, samples: int, direct: Tensor | None = None) -> Tensor:
    """Antialiasing: the mean radiance of samples x samples rays through each pixel.

    Lighting is the expensive part. It is predicted for the first ray of each pixel; every other ray takes the lighting
    of the neighbouring pixel whose surface is most similar to its own, so that rays past the silhouette of a ball take
    the lighting of the wall behind it. Each ray uses its own material. (Multisampling likewise shades less often than
    it tests visibility.)

    Args:
        log_lighting: [V, H, H, 6] log10(1 + x) of the lighting at the first ray of each pixel, from `PixelDecoder`.
        surface: Surfaces seen by all rays, H samples along a side.
        samples: Rays along a side of a pixel.
        direct: [V, H samples, H samples, 6] lighting to add at every ray; None for none.

    Returns:
        [V, H, H, 3] log10(1 + mean radiance).
    """
    lighting, first = torch.pow(10.0, log_lighting) - 1, surface.subsample(samples)
    total: Tensor | None = None
    for row in range(samples):
        for column in range(samples):
            ray_lighting, seen = lighting, first
            if (row, column) != (0, 0):
                seen = surface.subsample(samples, row, column)
                pixel = _most_similar_pixel(first, seen, row > 0, column > 0)
                ray_lighting = lighting.flatten(0, 2)[pixel]
            if direct is not None:
                ray_lighting = ray_lighting + direct[:, row::samples, column::samples]
            ray_radiance = radiance(ray_lighting, seen.material)
            total = ray_radiance if total is None else total + ray_radiance
    assert total is not None
    return torch.log10(1 + total / samples**2)


def _most_similar_pixel(first: SurfaceHits, seen: SurfaceHits, below: bool, right: bool) -> Tensor:
    """[V, H, H] flat index of that neighbouring pixel of each ray whose first ray hit the most similar surface.

    Two points are on the same surface if each lies in the plane of the other; of several such pixels the nearest is
    taken. below, right: whether the pixels below and to the right are neighbours too.
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
    """[V, H, H] how far points are from lying on the same surface as the points `seen`, in scene units."""
    step = offset - seen.offset
    out_of_plane = (step * normal).sum(-1).abs() + (step * seen.normal).sum(-1).abs()
    return out_of_plane + DISTANCE_WEIGHT * step.abs().sum(-1)


def _shift(image: Tensor, down: int, along: int) -> Tensor:
    """[V, H, H, ...] values of the pixel below or to the right; at the border the pixel's own."""
    moved = torch.cat([image[:, down:], image[:, image.shape[1] - down :]], 1)
    return torch.cat([moved[:, :, along:], moved[:, :, moved.shape[2] - along :]], 2)
