"""Direct light: light that reaches a seen surface straight from the emitters, with shadows from traced rays.

At a point with shading normal n, seen from direction o, the light samples k of a scene give

    D_A = sum_k L_k V_k omega_k max(n . w_k, 0) / pi
    D_S = sum_k L_k V_k omega_k (D_ggx G / (4 n . o) + m max(n . w_k, 0) / pi)

for the material's diffuse and specular colours: the BSDF of the path tracer (`rfcli.truth`), Lambert plus GGX without
Fresnel term, whose lost energy m returns as a Lambertian lobe. w_k is the direction to the sample, L_k its radiance,
omega_k its solid angle, and V_k the share of its surface that is visible. Both are exactly linear in emission. The
samples of a large flat lamp share the exact irradiance of its polygon in proportion to the terms of D_A.
"""

import numpy as np
import torch
from torch import Tensor

from rfcli.model.light_samples import LightSamples
from rfcli.model.surface_points import SurfacePoints, dot
from rfcli.scene.ggx_energy import AVERAGE_ALBEDO

MIN_ALPHA = 1e-3  # as in the path tracer
MIN_COSINE = 1e-3  # between the normal and the camera: below, GGX's 1 / (4 n . o) is unbounded
PAIRS_PER_CHUNK = 1 << 16  # of surface points and points of samples; bounds the memory, and fits into a cache


def direct_light(points: SurfacePoints, lights: LightSamples, visibility: Tensor, radiance: Tensor) -> Tensor:
    """The light of all samples that each point's material reflects to the viewer.

    Args:
        points: M points.
        lights: K samples of the emitters.
        visibility: [M, K] from `light_visibility`.
        radiance: [K, C] of the samples, from `LightSamples.radiance`.

    Returns:
        [M, C, 2]: D_A and D_S for each channel.
    """
    count = len(lights.position)
    if count == 0 or len(points) == 0:
        return torch.zeros(len(points), radiance.shape[1], 2, device=points.position.device)
    reflection = _Reflection(lights, points.position.device)
    owner = lights.point_sample.to(radiance.device)
    of_point = radiance.index_select(0, owner)
    step = max(1, PAIRS_PER_CHUNK // count)
    parts = []
    for start in range(0, len(points), step):
        part = slice(start, start + step)
        diffuse, specular = reflection(
            points.position[part], points.normal[part], points.to_camera[part], points.roughness[part]
        )
        visible = visibility[part].index_select(1, owner)
        parts.append(torch.stack([(diffuse * visible) @ of_point, (specular * visible) @ of_point], -1))
    return torch.cat(parts)


class _Reflection:
    """The reflection of the points of light samples, all visible, by surfaces of diffuse and specular colour 1."""

    def __init__(self, lights: LightSamples, device: torch.device) -> None:
        self.place, self.facing = lights.position.to(device), lights.normal.to(device)
        self.area = lights.point_area.to(device)
        self.polygons, self.polygon_group = lights.polygons.to(device), lights.polygon_group.to(device)
        self.group = lights.group[lights.point_sample].to(device)
        self.groups = int(lights.group.max()) + 1
        self.exact = torch.zeros(self.groups, dtype=torch.bool, device=device)
        self.exact[self.polygon_group] = True

    def __call__(self, position: Tensor, normal: Tensor, to_camera: Tensor, roughness: Tensor) -> tuple[Tensor, Tensor]:
        """Solid angle times BSDF times cosine, [M, Q] each, for a diffuse and a specular colour of 1."""
        # One matrix per coordinate: torch is several times slower with vectors in the last dimension.
        x, y, z = (self.place[:, k] - position[:, k : k + 1] for k in range(3))

        def along(vector: Tensor) -> Tensor:
            return x * vector[:, 0:1] + y * vector[:, 1:2] + z * vector[:, 2:3]

        squared = x * x + y * y + z * z
        inverse = squared.clamp_min(1e-20).rsqrt()
        facing = self.facing
        light_cosine = (x * facing[:, 0] + y * facing[:, 1] + z * facing[:, 2]).abs_() * inverse
        # A / (r^2 + A / pi) is exact for the irradiance of a disc above a parallel surface, however near.
        solid_angle = self.area * light_cosine / (squared + self.area / np.pi)
        cosine = (along(normal) * inverse).clamp_min_(0)
        view_cosine = (normal * to_camera).sum(-1, keepdim=True).clamp_min(MIN_COSINE)
        alpha = (roughness**2).clamp(MIN_ALPHA, 1)[:, None]
        # A lobe narrower than the sample would show the sample's centre as a dot: it is widened by the sample's size.
        wide = alpha**2 + solid_angle / (4 * np.pi)
        half_squared = (2 + 2 * along(to_camera) * inverse).clamp_min_(1e-8)  # |w + o|^2
        half_cosine = ((cosine + view_cosine).square() / half_squared).clamp_max_(1)  # cos^2 of n and the half vector
        distribution = wide / (np.pi * (half_cosine * (wide - 1) + 1).square())
        shadowing = _smith(cosine, alpha**2) * _smith(view_cosine, alpha**2)
        lobe = distribution * shadowing / (4 * view_cosine) * (cosine > 0)
        lambert = cosine / np.pi
        diffuse = solid_angle * lambert
        if len(self.polygons):
            diffuse = self._with_exact_sums(diffuse, position, normal)
        return diffuse, solid_angle * (lobe + lost_energy(alpha) * lambert)

    def _with_exact_sums(self, diffuse: Tensor, position: Tensor, normal: Tensor) -> Tensor:
        """The terms of D_A [M, Q], scaled so that those of a lamp with polygons sum to its form factor."""
        shape = (len(diffuse), self.groups)
        wanted = torch.zeros(shape, device=diffuse.device).index_add_(
            1, self.polygon_group, form_factors(position, normal, self.polygons)
        )
        given = torch.zeros(shape, device=diffuse.device).index_add_(1, self.group, diffuse)
        scale = torch.where(self.exact & (given > 0), wanted / given.clamp_min(1e-30), 1.0)
        return diffuse * scale.index_select(1, self.group)


def form_factors(position: Tensor, normal: Tensor, polygons: Tensor) -> Tensor:
    """The share of what a diffuse surface receives that comes from polygons of radiance 1, if nothing hides them.

    Lambert's formula: half the sum over the edges of the angle that an edge spans times the cosine between n and the
    plane of the edge and the point, over pi; the polygon is first clipped at the horizon (Arvo, Applications of
    Irradiance Tensors, 1995).

    Args:
        position: [M, 3].
        normal: [M, 3] unit normals n.
        polygons: [G, E, 3] vertices of flat convex polygons, in either order; repeated vertices do not matter.

    Returns:
        [M, G] from 0 to 1.
    """
    start = polygons - position[:, None, None]
    height = dot(start, normal[:, None, None])
    end, end_height = start.roll(-1, 2), height.roll(-1, 2)
    cut = torch.where((height > 0) != (end_height > 0), height / (height - end_height), 0.0)
    crossing = start + cut[..., None] * (end - start)
    leaves, enters = (height > 0) & (end_height <= 0), (height <= 0) & (end_height > 0)
    visible = (height > 0) | (end_height > 0)
    first, last = torch.where(enters[..., None], crossing, start), torch.where(leaves[..., None], crossing, end)
    total = (_edge_terms(first, last, normal[:, None, None]) * visible).sum(-1)
    # The horizon closes the polygon, from where it is left to where it is entered.
    left, entered = ((crossing * flags[..., None]).sum(2) for flags in (leaves, enters))
    total = total + _edge_terms(left, entered, normal[:, None]) * leaves.any(-1)
    share: Tensor = total.abs() / (2 * np.pi)
    return share


def _edge_terms(start: Tensor, end: Tensor, normal: Tensor) -> Tensor:
    """[...] angle between start and end [..., 3] times the component along n of their unit cross product."""
    cross = torch.linalg.cross(start, end)
    length = dot(cross, cross).sqrt()
    angle = torch.atan2(length, dot(start, end))
    term: Tensor = angle * dot(cross, normal) / length.clamp_min(1e-20)
    return term


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
