"""Points at which direct light is computed: one for a pixel whose rays see one flat surface, else one for each ray."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

MIN_SAME_PLANE_COSINE = 0.95  # between the face normals of rays of a pixel that share a point
MAX_PLANE_DEVIATION = 0.3  # distance from the first ray's plane, over the distance from its point
LOBE_SHARE = 0.5  # of the lobe's width alpha: how far half vectors may turn within a pixel that is one point


@dataclass(frozen=True)
class SurfacePoints:
    """M points seen through the pixels of V views, H x H pixels of r rays each.

    Attributes:
        position: [M, 3] world space.
        normal: [M, 3] unit shading normal on the visible side.
        face_normal: [M, 3] unit normal of the triangle.
        to_camera: [M, 3] unit direction to the viewer.
        roughness: [M].
        pixel: [M] number of the pixel, row by row, view by view.
        ray: [M] number of the point's first ray: r times the pixel plus its number in the pixel.
        rays: [M] r for a point that stands for its whole pixel, 1 for a point of a single ray.
        origins: [V H H r, 3] positions of the hits of all rays, where shadow rays start.
        origin_normals: [V H H r, 3] unit normals of the triangles there.
        shape: V, H and r.
    """

    position: Tensor
    normal: Tensor
    face_normal: Tensor
    to_camera: Tensor
    roughness: Tensor
    pixel: Tensor
    ray: Tensor
    rays: Tensor
    origins: Tensor
    origin_normals: Tensor
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.pixel)

    def to(self, device: torch.device) -> "SurfacePoints":
        """The points on a device."""
        moved: dict[str, Any] = {name: x.to(device) for name, x in vars(self).items() if isinstance(x, Tensor)}
        return replace(self, **moved)


@dataclass(frozen=True)
class SeenRays:
    """What the rays of V views see, H s x H s rays each.

    Attributes:
        position: [V, H s, H s, 3] world space.
        normal: [V, H s, H s, 3] unit shading normal on the visible side.
        face_normal: [V, H s, H s, 3] unit normal of the triangle.
        to_camera: [V, H s, H s, 3] unit direction to the viewer.
        roughness: [V, H s, H s].
        lit: [V, H s, H s] bool, False where nothing is hit and on emitters, which reflect nothing.
    """

    position: Tensor
    normal: Tensor
    face_normal: Tensor
    to_camera: Tensor
    roughness: Tensor
    lit: Tensor

    def map(self, fn: Callable[[Tensor], Tensor]) -> "SeenRays":
        """Applies fn to every tensor."""
        return SeenRays(*map(fn, vars(self).values()))

    def subsample(self, step: int) -> "SeenRays":
        """Every step-th ray along both axes."""
        return self.map(lambda x: x[:, ::step, ::step])


def surface_points(rays: SeenRays, samples: int) -> tuple[SurfacePoints, Tensor]:
    """The points of all rays that see a surface.

    The rays of a pixel share a point if they see the same plane and roughness, and if its normals turn less than the
    width of the specular lobe.

    Args:
        rays: [V, H s, H s] rays.
        samples: s, rays along a side of a pixel.

    Returns:
        The M points, and [V, H s, H s] the point of each ray, M where it is not lit.
    """
    views, height = rays.lit.shape[0], rays.lit.shape[1] // samples
    count, device = samples**2, rays.lit.device

    def pixels(x: Tensor) -> Tensor:
        return rearrange(x, "v (h s) (w t) ... -> (v h w) (s t) ...", s=samples, t=samples).contiguous()

    of_pixel = rays.map(pixels)
    shared = _on_one_surface(of_pixel) if count > 1 else of_pixel.lit[:, 0]
    whole = shared.nonzero()[:, 0]
    single = (of_pixel.lit & ~shared[:, None]).flatten().nonzero()[:, 0]
    missing = len(whole) + len(single)
    point_of_ray = torch.full(of_pixel.lit.shape, missing, device=device)
    point_of_ray[whole] = torch.arange(len(whole), device=device)[:, None]
    point_of_ray.view(-1)[single] = torch.arange(len(whole), missing, device=device)

    def gather(x: Tensor) -> Tensor:
        return torch.cat([x.index_select(0, whole).mean(1), x.flatten(0, 1).index_select(0, single)])

    points = SurfacePoints(
        position=gather(of_pixel.position),
        normal=F.normalize(gather(of_pixel.normal), dim=-1),
        face_normal=F.normalize(gather(of_pixel.face_normal), dim=-1),
        to_camera=F.normalize(gather(of_pixel.to_camera), dim=-1),
        roughness=gather(of_pixel.roughness),
        pixel=torch.cat([whole, single // count]),
        ray=torch.cat([whole * count, single]),
        rays=torch.cat([torch.full_like(whole, count), torch.ones_like(single)]),
        origins=of_pixel.position.flatten(0, 1),
        origin_normals=of_pixel.face_normal.flatten(0, 1),
        shape=(views, height, count),
    )
    image = rearrange(point_of_ray, "(v h w) (s t) -> v (h s) (w t)", v=views, h=height, s=samples)
    return points, image.contiguous()


def _on_one_surface(rays: SeenRays) -> Tensor:
    """[pixels] whether all rays of a pixel, [pixels, rays, ...], are lit and see one flat surface."""
    first = rays.map(lambda x: x[:, :1])
    step = rays.position - first.position
    same = dot(rays.face_normal, first.face_normal) > MIN_SAME_PLANE_COSINE
    same &= dot(step, first.face_normal).abs() <= MAX_PLANE_DEVIATION * dot(step, step).sqrt() + 1e-7
    # The half vector turns as far as the normal, or half as far as the direction to the camera.
    turn, look = rays.normal - first.normal, rays.to_camera - first.to_camera
    angle = dot(turn, turn).sqrt() + dot(look, look).sqrt() / 2
    same &= (rays.roughness == first.roughness) & (angle <= LOBE_SHARE * rays.roughness**2)
    return (same & rays.lit).all(1)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """[...] dot products of vectors [..., 3]; a matrix product sums several times faster than a reduction."""
    return (a * b) @ torch.ones(3, dtype=a.dtype, device=a.device)
