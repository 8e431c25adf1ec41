"""Direct light: light that reaches a seen surface straight from the emitters, with shadows from traced rays.

At a point with shading normal n, seen from direction o, the light samples k of a scene give

    D_A = sum_k L_k V_k omega_k max(n . w_k, 0) / pi
    D_S = sum_k L_k V_k omega_k (D_ggx G / (4 n . o) + m max(n . w_k, 0) / pi)

for the material's diffuse and specular colours: the BSDF of the path tracer (`rfcli.truth`), Lambert plus GGX without
Fresnel term, whose lost energy m returns as a Lambertian lobe. w_k is the direction to the sample, L_k its radiance,
omega_k its solid angle, and V_k the share of its surface that is visible. Both are exactly linear in emission.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from rfcli.model.light_samples import PATTERNS, SHADOW_POINTS, LightSamples
from rfcli.scene.ggx_energy import AVERAGE_ALBEDO
from rfcli.scene.ray_casting import RayCaster

MIN_ALPHA = 1e-3  # as in the path tracer
MIN_COSINE = 1e-3  # between the normal and the camera: below, GGX's 1 / (4 n . o) is unbounded
OFFSET = 2e-4  # of shadow rays from their surface, relative to the extent of the scene
POINTS_PER_CHUNK = 1 << 14
MIN_SAME_PLANE_COSINE = 0.95  # between the face normals of rays of a pixel that share a shadow ray
MAX_PLANE_DEVIATION = 0.3  # distance from the first ray's plane, over the distance from its point
PENUMBRA_RAYS = 64  # shadow rays per pixel and lamp where its visibility changes


@dataclass(frozen=True)
class SurfacePoints:
    """Seen points of one scene: V views of H s x H s rays, s x s of them in each pixel.

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


def light_visibility(
    points: SurfacePoints,
    lights: LightSamples,
    caster: RayCaster,
    extent: float,
    samples: int,
    penumbra_rays: int = PENUMBRA_RAYS,
) -> Tensor:
    """The share of each light sample that each point sees.

    The first ray of each pixel traces one shadow ray to each sample, and its answer holds for the whole pixel where the
    rays of the pixel see one flat surface. Other pixels trace a shadow ray for each of their rays. Where a lamp is
    neither entirely visible nor entirely hidden in a pixel and its eight neighbours, more shadow rays follow.

    Args:
        points: Points of one scene.
        lights: K samples of its emitters.
        caster: Traces rays through the scene.
        extent: Size of the scene, which scales the offset of rays from their surfaces.
        samples: s, rays along a side of a pixel.
        penumbra_rays: Shadow rays per pixel and lamp where the lamp is partly visible, about.

    Returns:
        [V, H s, H s, K] from 0 to 1.
    """
    count = len(lights.area)
    shape = points.lit.shape
    device = points.position.device
    if count == 0 or not bool(points.lit.any()):
        return torch.zeros(*shape, count, device=device)
    tracer = _ShadowTracer(points, lights, caster, OFFSET * extent, samples)
    visible = np.zeros((len(tracer.lit), count), dtype=np.float32)
    traced = np.zeros((len(tracer.lit), count), dtype=np.bool_)
    first = tracer.ray_of_pixel == 0
    uneven = ~_pixels_on_one_plane(points, samples)
    rows, others = np.flatnonzero(tracer.lit & (first | uneven)), np.flatnonzero(tracer.lit & ~first & ~uneven)
    pixel = tracer.first_of_pixel[others]
    for sample in range(count):
        visible[rows, sample], traced[rows, sample] = tracer.trace(rows, sample, 0)
        visible[others, sample], traced[others, sample] = visible[pixel, sample], traced[pixel, sample]
    groups = lights.group.numpy()
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        more = max(1, -(-penumbra_rays // (samples**2 * len(members))) - 1)
        partial = _partly_visible(visible[:, members], traced[:, members], shape, samples)
        rows = np.flatnonzero(partial & tracer.lit)
        for member in members if len(rows) else ():
            total = np.zeros(len(rows), dtype=np.float32)
            for ray in range(more + 1):
                total += tracer.trace(rows, int(member), ray)[0]
            visible[rows, member] = total / (more + 1)
    return torch.from_numpy(visible).view(*shape, count).to(device)


def _pixels_on_one_plane(points: SurfacePoints, samples: int) -> npt.NDArray[np.bool_]:
    """[V H s H s] whether all rays of a point's pixel see the same plane."""
    views, side = points.lit.shape[:2]
    if samples == 1:
        return np.ones(views * side * side, dtype=np.bool_)

    def first(x: Tensor) -> Tensor:
        pixels = x[:, ::samples, ::samples]
        return pixels.repeat_interleave(samples, 1).repeat_interleave(samples, 2)

    normal = first(points.face_normal)
    step = points.position - first(points.position)
    length = step.square().sum(-1).sqrt()
    same = (points.face_normal * normal).sum(-1).abs() > MIN_SAME_PLANE_COSINE
    same &= (step * normal).sum(-1).abs() <= MAX_PLANE_DEVIATION * length + 1e-7
    same &= points.lit == first(points.lit)
    every = -F.max_pool2d(-same[:, None].float(), samples)
    return (F.interpolate(every, scale_factor=samples, mode="nearest") > 0).cpu().numpy().reshape(-1)


class _ShadowTracer:
    """Shadow rays of the points of one scene, which are numbered row by row."""

    def __init__(
        self, points: SurfacePoints, lights: LightSamples, caster: RayCaster, offset: float, samples: int
    ) -> None:
        def array(x: Tensor) -> npt.NDArray[np.float32]:
            return np.ascontiguousarray(x.detach().reshape(-1, 3).cpu().float().numpy())

        self.position, self.normal = array(points.position), array(points.normal)
        self.face_normal = array(points.face_normal)
        self.lit: npt.NDArray[np.bool_] = points.lit.reshape(-1).cpu().numpy()
        self._shadow_points = lights.shadow_points.numpy()
        self._caster, self._offset, self._samples = caster, offset, samples
        views, side = points.lit.shape[:2]
        line = np.arange(side)
        inside = (line[:, None] % samples) * samples + line[None] % samples  # which ray of its pixel a point is
        tile = line // samples % 4
        pattern = tile[:, None] * 4 + (tile[None] + 2 * (tile[:, None] % 2)) % 4
        self.ray_of_pixel = np.tile(inside.reshape(-1), views)
        corner = line // samples * samples
        first = (corner[:, None] * side + corner[None]).reshape(-1)
        self.first_of_pixel = (np.arange(views)[:, None] * side**2 + first[None]).reshape(-1)
        self._pattern = np.tile(pattern.reshape(-1) % PATTERNS, views)

    def trace(
        self, rows: npt.NDArray[np.int64], sample: int, number: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """The `number`-th shadow ray of some points to a light sample: 1 if visible, and whether a ray was traced.

        None is traced to points below the horizon of the surface, which count as hidden.
        """
        index = (self.ray_of_pixel[rows] + number * self._samples**2) % SHADOW_POINTS
        target = self._shadow_points[self._pattern[rows], sample, index]
        direction = target - self.position[rows]
        above = (direction * self.normal[rows]).sum(1) > 0
        visible = np.zeros(len(rows), dtype=np.float32)
        some = np.flatnonzero(above)
        side = np.sign((direction[some] * self.face_normal[rows[some]]).sum(1))[:, None].astype(np.float32)
        origin = self.position[rows[some]] + self._offset * side * self.face_normal[rows[some]]
        visible[some] = ~self._caster.occluded(origin, target[some])
        return visible, above


def _partly_visible(
    visible: npt.NDArray[np.float32], traced: npt.NDArray[np.bool_], shape: torch.Size, samples: int
) -> npt.NDArray[np.bool_]:
    """[V H s H s] whether rays to a lamp disagree within the 3 x 3 pixels around each point.

    visible, traced: [V H s H s, members of the lamp].
    """
    views, side = shape[:2]
    seen = torch.from_numpy(((visible > 0) & traced).any(1)).view(views, 1, side, side).float()
    hidden = torch.from_numpy(((visible == 0) & traced).any(1)).view(views, 1, side, side).float()

    def anywhere(flags: Tensor) -> Tensor:
        pixels = F.max_pool2d(flags, samples) if samples > 1 else flags
        around = F.max_pool2d(pixels, 3, stride=1, padding=1)
        return F.interpolate(around, scale_factor=samples, mode="nearest") if samples > 1 else around

    return ((anywhere(seen) > 0) & (anywhere(hidden) > 0)).numpy().reshape(-1)


def direct_light(points: SurfacePoints, lights: LightSamples, visibility: Tensor, radiance: Tensor) -> Tensor:
    """The light of all samples that each point's material reflects to the viewer.

    Args:
        points: Points of one scene.
        lights: K samples of its emitters.
        visibility: [V, H s, H s, K] from `light_visibility`.
        radiance: [K, C] of the samples, from `LightSamples.radiance`.

    Returns:
        [V, H s, H s, C, 2]: D_A and D_S for each channel.
    """
    shape, channels = points.lit.shape, radiance.shape[1]
    if len(lights.area) == 0:
        return torch.zeros(*shape, channels, 2, device=points.position.device)
    position, normal, to_camera = (x.reshape(-1, 3) for x in (points.position, points.normal, points.to_camera))
    roughness = points.roughness.reshape(-1)
    seen = (visibility * points.lit[..., None]).reshape(-1, visibility.shape[-1])
    owner = lights.point_sample.to(radiance.device)
    parts = []
    for start in range(0, len(seen), POINTS_PER_CHUNK):
        part = slice(start, start + POINTS_PER_CHUNK)
        visible = seen[part][:, owner]
        diffuse, specular = _reflection(position[part], normal[part], to_camera[part], roughness[part], lights)
        weight = torch.stack([diffuse * visible, specular * visible], 1)
        parts.append((weight @ radiance[owner]).transpose(1, 2))
    return torch.cat(parts).view(*shape, channels, 2)


def _reflection(
    position: Tensor, normal: Tensor, to_camera: Tensor, roughness: Tensor, lights: LightSamples
) -> tuple[Tensor, Tensor]:
    """Solid angle times BSDF times cosine, [M, Q], for a diffuse and a specular colour of 1."""
    device = position.device
    place, facing, area = (x.to(device) for x in (lights.position, lights.normal, lights.point_area))
    offset = place - position[:, None]
    squared = offset.square().sum(-1)
    direction = offset * squared.clamp_min(1e-20).rsqrt()[..., None]
    light_cosine = (direction * facing).sum(-1).abs()
    # A / (r^2 + A / pi) is exact for the irradiance of a disc above a parallel surface, however near.
    solid_angle = area * light_cosine / (squared + area / np.pi)
    cosine = (direction @ normal[..., None]).squeeze(-1).clamp_min(0)
    view_cosine = (normal * to_camera).sum(-1, keepdim=True).clamp_min(MIN_COSINE)
    alpha = (roughness**2).clamp(MIN_ALPHA, 1)[:, None]
    # A lobe narrower than the sample would show the sample's centre as a dot: it is widened by the sample's size.
    wide = alpha**2 + solid_angle / (4 * np.pi)
    toward_camera = (direction @ to_camera[..., None]).squeeze(-1)
    half_squared = (2 + 2 * toward_camera).clamp_min(1e-8)  # |w + o|^2
    half_cosine = ((cosine + view_cosine).square() / half_squared).clamp(0, 1)  # cos^2 between n and the half vector
    distribution = wide / (np.pi * (half_cosine * (wide - 1) + 1).square())
    shadowing = _smith(cosine, alpha**2) * _smith(view_cosine, alpha**2)
    lobe = distribution * shadowing / (4 * view_cosine) * (cosine > 0)
    lambert = cosine / np.pi
    return solid_angle * lambert, solid_angle * (lobe + lost_energy(alpha) * lambert)


def _smith(cosine: Tensor, alpha_squared: Tensor) -> Tensor:
    """Smith's G1 of GGX: 2 / (1 + sqrt(1 + alpha^2 tan^2))."""
    squared = cosine.square().clamp_min(1e-12)
    return 2 / (1 + (1 + alpha_squared * (1 - squared) / squared).sqrt())


def lost_energy(alpha: Tensor) -> Tensor:
    """Share of energy that single-scattering GGX of width alpha loses; see `rfcli.scene.ggx_energy`."""
    table = torch.tensor(AVERAGE_ALBEDO, dtype=alpha.dtype, device=alpha.device)
    place = alpha.clamp(0, 1) * (len(table) - 1)
    low = place.floor().clamp_max(len(table) - 2)
    index = low.long()
    return 1 - torch.lerp(table[index], table[index + 1], place - low)
