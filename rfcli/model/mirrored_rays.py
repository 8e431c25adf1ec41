"""Mirrored rays: one ray per pixel from its first seen point, about the mirrored direction.

A rough surface mirrors a wide lobe. The rays of a 4 x 4 tile of pixels sample the normals of its microfacets, each
pixel another stratum, and what they meet is averaged over neighbouring pixels whose lobes overlap.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from rfcli.model.direct_light import MIN_ALPHA
from rfcli.model.light_samples import PATTERNS
from rfcli.model.shadow_rays import WINDOW, offset_origins, tile_patterns
from rfcli.model.surface_points import SurfacePoints, dot
from rfcli.scene.ray_casting import RayCaster

OVERLAP = (
    2.5  # widths alpha by which mirrored directions may differ in pixels that are averaged; lobes are 2 alpha wide
)
MIN_AVERAGED_ALPHA = 0.01  # narrower lobes are as sharp as the picture
MAX_SLOPE = 0.3  # distance from the plane of a pixel's point, over the distance from the point
MAX_ROUGHNESS_DIFFERENCE = 0.02


@dataclass(frozen=True)
class MirroredHits:
    """What the mirrored rays of M points meet.

    Attributes:
        triangle: [M] -1 where nothing is hit.
        barycentric: [M, 3].
        distance: [M], infinite where nothing is hit.
        direction: [M, 3] unit directions of the rays.
    """

    triangle: Tensor
    barycentric: Tensor
    distance: Tensor
    direction: Tensor


def mirrored_hits(points: SurfacePoints, spread: Tensor, caster: RayCaster, offset: float) -> MirroredHits:
    """Traces one ray from each of M points, in a direction of its specular lobe.

    spread: [M] from `lobe_weights`.
    """
    device = points.position.device
    disc = _disc_points().to(device).index_select(0, tile_patterns(points))
    normals = microfacet_normals(points.normal, points.to_camera, points.roughness, disc)
    normals = F.normalize(torch.lerp(points.normal, normals, spread[:, None]), dim=-1)
    direction = _reflected(points.to_camera, normals)
    # Directions into the surface are turned outwards: light between microfacets leaves after more bounces.
    below = (direction * points.normal).sum(-1, keepdim=True)
    direction = direction - 2 * below.clamp_max(0) * points.normal
    origin = offset_origins(points.position, points.face_normal, direction, offset)
    found = caster.first_hits(origin.cpu().numpy(), direction.cpu().numpy())
    triangle, barycentric, distance = (
        torch.from_numpy(x).to(device) for x in (found.triangle, found.barycentric, found.distance)
    )
    return MirroredHits(triangle, barycentric, distance, direction)


def microfacet_normals(normal: Tensor, to_camera: Tensor, roughness: Tensor, disc: Tensor) -> Tensor:
    """Normals of GGX microfacets that the viewer sees, one for each point.

    They are distributed like those that the viewer sees if the points of the disc are distributed evenly. These are
    projected onto the hemisphere that the viewer sees after the surface was stretched by 1 / alpha (Heitz, Sampling the
    GGX Distribution of Visible Normals, 2018).

    Args:
        normal: [M, 3] unit shading normals.
        to_camera: [M, 3] unit directions.
        roughness: [M].
        disc: [M, 2] points of the unit disc.

    Returns:
        [M, 3] unit normals.
    """
    alpha = (roughness**2).clamp(MIN_ALPHA, 1)[:, None]
    up, along = normal, F.normalize(_any_tangent(normal), dim=-1)
    across = torch.linalg.cross(up, along)

    def component(axis: Tensor) -> Tensor:
        return (to_camera * axis).sum(-1, keepdim=True)

    # The viewer in the frame of the surface, stretched.
    view = F.normalize(
        torch.cat([alpha * component(along), alpha * component(across), component(up).clamp_min(1e-3)], -1), dim=-1
    )
    flat = torch.stack([-view[:, 1], view[:, 0], torch.zeros_like(view[:, 0])], -1)
    fallback = torch.tensor([1.0, 0.0, 0.0], device=normal.device)
    first = torch.where(flat.square().sum(-1, keepdim=True) > 1e-12, F.normalize(flat, dim=-1), fallback)
    second = torch.linalg.cross(view, first)
    x, y = disc[:, :1], disc[:, 1:]
    share = (1 + view[:, 2:]) / 2
    y = (1 - share) * (1 - x * x).sqrt() + share * y
    stretched = x * first + y * second + (1 - x * x - y * y).clamp_min(0).sqrt() * view
    local = F.normalize(torch.cat([alpha * stretched[:, :2], stretched[:, 2:].clamp_min(1e-6)], -1), dim=-1)
    microfacet: Tensor = local[:, :1] * along + local[:, 1:2] * across + local[:, 2:] * up
    return microfacet


@cache
def _disc_points() -> Tensor:
    """[PATTERNS, 2] points of the unit disc, one in the middle of each of PATTERNS sectors of rings of equal area."""
    side = math.isqrt(PATTERNS)
    order = torch.randperm(PATTERNS, generator=torch.Generator().manual_seed(0))
    ring, sector = order // side, order % side
    radius = ((ring + 0.5) / side).sqrt()
    angle = 2 * math.pi * (sector + 0.25 + 0.5 * (ring % 2)) / side
    return torch.stack([radius * angle.cos(), radius * angle.sin()], -1)


def _any_tangent(normal: Tensor) -> Tensor:
    """[M, 3] a vector that is not parallel to the normal, made perpendicular to it."""
    axis = F.one_hot(normal.abs().argmin(-1), 3).to(normal.dtype)
    return axis - (axis * normal).sum(-1, keepdim=True) * normal


def _reflected(to_camera: Tensor, normal: Tensor) -> Tensor:
    """[M, 3] the direction to the camera, mirrored about a unit normal."""
    return 2 * (to_camera * normal).sum(-1, keepdim=True) * normal - to_camera


def lobe_weights(points: SurfacePoints) -> tuple[Tensor, Tensor]:
    """Weights by which the mirrored light of each pixel is averaged with that of its neighbours.

    Lobes overlap if the mirrored directions differ by less than about alpha.

    Args:
        points: At most one point per pixel.

    Returns:
        [2, 5, V, H, H]: along columns, then along rows, weights of five pixels around each, whose sum is 1; only the
        pixel's own where there is no point. And [M] the share of the window that overlaps, 0 to 1: a pixel that is not
        averaged must not have a ray of its own, random direction.
    """
    views, side, _ = points.shape
    device = points.position.device
    point_of_pixel = torch.full((views * side * side,), -1, device=device)
    point_of_pixel[points.pixel] = torch.arange(len(points), device=device)
    image = point_of_pixel.view(views, side, side)
    view, row, column = points.pixel // side**2, points.pixel // side % side, points.pixel % side
    mirrored = _reflected(points.to_camera, points.normal)
    alpha = points.roughness**2
    allowed = torch.where(alpha > MIN_AVERAGED_ALPHA, OVERLAP * alpha, 0.0)
    weights = torch.zeros(2, len(WINDOW), views * side * side, device=device)
    weights[:, 2] = 1
    reach = len(WINDOW) // 2
    padded = F.pad(image, (reach,) * 4, value=-1)
    spread = torch.ones(len(points), device=device)
    for axis in range(2):
        taps = []
        for step, weight in enumerate(WINDOW):
            down, along = (step, reach) if axis == 0 else (reach, step)
            other = padded[view, row + down, column + along]
            near, other = other >= 0, other.clamp_min(0)
            offset = points.position.index_select(0, other) - points.position
            length = torch.linalg.vector_norm(offset, dim=-1)
            near &= dot(offset, points.normal).abs() <= MAX_SLOPE * length + 1e-9
            near &= (points.roughness.index_select(0, other) - points.roughness).abs() <= MAX_ROUGHNESS_DIFFERENCE
            near &= torch.linalg.vector_norm(mirrored.index_select(0, other) - mirrored, dim=-1) <= allowed
            taps.append(torch.full_like(allowed, weight) if step == reach else weight * near)
        stacked = torch.stack(taps)
        total = stacked.sum(0)
        weights[axis].index_copy_(1, points.pixel, stacked / total)
        spread = spread * (total - WINDOW[reach]) / (1 - WINDOW[reach])
    return weights.view(2, len(WINDOW), views, side, side), spread


def averaged(image: Tensor, weights: Tensor) -> Tensor:
    """Values [V, H, H, C] averaged by weights [2, 5, V, H, H] of `lobe_weights`."""
    reach = len(WINDOW) // 2
    for axis in range(2):
        padding = (0, 0, 0, 0, reach, reach) if axis == 0 else (0, 0, reach, reach)
        padded, size = F.pad(image, padding), image.shape[axis + 1]
        image = sum(  # type: ignore[assignment]
            weights[axis, step][..., None] * padded.narrow(axis + 1, step, size) for step in range(len(WINDOW))
        )
    return image
