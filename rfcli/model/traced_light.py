"""The view-dependent stage with traced direct light: rays find the light, the network predicts what bounces.

Which emitters a surface sees is geometry, and a ray caster answers it exactly in microseconds. So direct light is
computed (`rfcli.model.direct_light`), and the network predicts only what comes beyond: light after its first bounce,
which no small number of rays can give. For each ray through a pixel

    radiance = diffuse (A + D_A) + specular (S + M + D_S) + emission

D is direct light, A and S the lighting that the network predicts, and M what one mirrored ray meets: the material
there, under direct light and under lighting that the network predicts from the features of its vertices. M fades out
with roughness, since a mirrored ray stands only for a narrow lobe.
"""

import math
from dataclasses import dataclass, fields
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rfcli.model.batch import COLOURS, EMISSION, ROUGHNESS, SceneBatch, face_normals
from rfcli.model.config import RenderFormerConfig
from rfcli.model.direct_light import OFFSET, PENUMBRA_RAYS, SurfacePoints, direct_light, light_visibility
from rfcli.model.first_hit import FirstHitRays, FirstHitStage
from rfcli.model.light_samples import light_samples
from rfcli.model.shading import FEATURES, average_subpixels
from rfcli.model.view_dependent import Rays, SceneEncoding
from rfcli.model.visibility import interpolate, lookup
from rfcli.scene.ray_casting import RayCaster, ray_caster

MIN_ROUGHNESS = 0.0316  # its square is the path tracer's smallest GGX width
MAX_LOG_LIGHTING = 3.0  # log10, of predicted light at mirrored points
FADE = -2.0  # initial slope of the mirrored ray's share over the logarithm of roughness
INITIAL_LIGHT = 0.05  # log10(1 + light) that a new network predicts: indirect light is dimmer than all light
MIRRORED_PENUMBRA_RAYS = 16  # shadow rays of a mirrored point to a partly visible lamp
MAX_DISTANCE = 10.0  # of a mirrored ray's hit, scene units


@dataclass(frozen=True)
class TracedLight:
    """Direct light of B scenes seen by V cameras, H x H pixels of s x s rays; it depends on no parameter.

    Attributes:
        direct: [B, V, H s, H s, 6] D_A, then D_S, red, green and blue each.
        mirror_triangle: [B, V, H, H] triangle that the mirrored ray of each pixel's first ray hits; -1 for none and
            for emitters, whose reflection is in D_S.
        mirror_barycentric: [B, V, H, H, 3] barycentric coordinates of that hit.
        mirror_distance: [B, V, H, H] distance to it.
        mirror_direct: [B, V, H, H, 6] direct light there, seen along the mirrored ray.
    """

    direct: Tensor
    mirror_triangle: Tensor
    mirror_barycentric: Tensor
    mirror_distance: Tensor
    mirror_direct: Tensor


@dataclass(frozen=True)
class TracedRays(FirstHitRays):
    """Rays with first hits and traced light.

    Attributes:
        traced: Of the B scenes.
    """

    traced: TracedLight


class MirroredLight(nn.Module):
    """Light at the points that mirrored rays meet, and the share of it that a rough surface receives."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(FEATURES, FEATURES)
        self.light = nn.Linear(FEATURES, 2)
        self.share = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 1))
        self.fade = nn.Parameter(torch.tensor(FADE))

    def forward(
        self, features: Tensor, direct: Tensor, material: Tensor, roughness: Tensor, distance: Tensor
    ) -> Tensor:
        """Specular incident light M from mirrored rays.

        Args:
            features: [S V, H, H, FEATURES] features of the lighting at the mirrored hits.
            direct: [S V, H, H, 6] direct light there.
            material: [S V, H, H, 13] material there, 0 where nothing is hit.
            roughness: [S V, H, H] of the reflecting surface.
            distance: [S V, H, H] to the hits.

        Returns:
            [S V, H, H, 3].
        """
        mixed = F.silu(self.head(features)) + features
        predicted = torch.pow(10.0, F.softplus(self.light(mixed).float()).clamp_max(MAX_LOG_LIGHTING)) - 1
        diffuse, specular, _ = (material[..., colour] for colour in COLOURS)
        seen = diffuse * (predicted[..., :1] + direct[..., :3]) + specular * (predicted[..., 1:] + direct[..., 3:])
        narrow = 1 + roughness.clamp_min(MIN_ROUGHNESS).log()
        inputs = torch.stack([narrow, roughness, torch.log(0.05 + distance)], -1)
        share = torch.sigmoid(self.share(inputs)[..., 0] + self.fade * narrow)
        return seen * share[..., None]


class TracedLightStage(FirstHitStage):
    """Ray tokens at the seen surfaces, view-dependent layers, pixel decoder; direct light and mirrored rays traced."""

    def __init__(self, config: RenderFormerConfig) -> None:
        super().__init__(config)
        self.direct_features = nn.Conv2d(6, FEATURES, 1)
        self.mirror_features = nn.Conv2d(3, FEATURES, 1)
        self.mirror = MirroredLight()
        self.reset_light()

    def reset_light(self) -> None:
        """New weights of everything that depends on direct light; the decoder's last layer starts nearly dark."""
        for projection in (self.direct_features, self.mirror_features):
            nn.init.zeros_(projection.weight)
            nn.init.zeros_(cast(Tensor, projection.bias))
        dark = math.log(math.expm1(INITIAL_LIGHT))  # softplus of this is INITIAL_LIGHT
        for last in (self.pixel_decoder.light, self.mirror.light):
            nn.init.normal_(last.weight, std=0.02)
            nn.init.constant_(cast(Tensor, last.bias), dark)
        share = cast(nn.Linear, self.mirror.share[2])
        nn.init.zeros_(share.weight)
        nn.init.zeros_(share.bias)

    def rays(
        self,
        scene: SceneEncoding,
        c2w: Tensor,
        fov: Tensor,
        resolution: int,
        visible: Tensor | None,
        samples: int,
    ) -> TracedRays:
        """The rays of all cameras, their first hits and traced light.

        Args:
            scene: B scenes.
            c2w: [B, V, 4, 4] camera to world.
            fov: [B, V] degrees.
            resolution: Pixels along a side.
            visible: [B, V, H samples, H samples] index of the triangle that each ray hits, -1 for none; None: computed
                here.
            samples: Rays along a side of a pixel.
        """
        # Shadow rays need exact positions, and GGX lobes are narrower than the steps of bf16 cosines.
        with torch.autocast(c2w.device.type, enabled=False):
            rays = super().rays(scene, c2w, fov, resolution, visible, samples)
            traced = trace_light(scene.batch, rays, c2w.float())
        return TracedRays(**{f.name: getattr(rays, f.name) for f in fields(FirstHitRays)}, traced=traced)

    def head_output(self, scene: SceneEncoding, rays: Rays, features: Tensor) -> Tensor:
        """[S V, H, H, 6] log10(1 + x) of predicted and mirrored lighting, diffuse and specular."""
        assert isinstance(rays, TracedRays)
        traced, samples = rays.traced, rays.samples
        first = self._per_input(scene, traced.direct[:, :, ::samples, ::samples])
        mirrored = self._mirrored(scene, rays)
        features = features + self.direct_features(_log_image(first)) + self.mirror_features(_log_image(mirrored))
        lighting = super().head_output(scene, rays, features)
        specular = torch.log1p(torch.expm1(lighting[..., 3:] * math.log(10)) + mirrored) / math.log(10)
        return torch.cat([lighting[..., :3], specular], -1)

    def to_image(self, rays: Rays, prediction: Tensor) -> Tensor:
        """[B V, H, H, 3] log10(1 + radiance) of the seen materials under predicted lighting and direct light."""
        assert isinstance(rays, TracedRays)
        with torch.autocast(prediction.device.type, enabled=False):
            return average_subpixels(prediction, rays.surface, rays.samples, rays.traced.direct.flatten(0, 1))

    def _mirrored(self, scene: SceneEncoding, rays: TracedRays) -> Tensor:
        """[S V, H, H, 3] light from mirrored rays, in the units of the network inputs."""
        traced, inputs = rays.traced, scene.inputs
        scenes = len(scene.batch.mask)

        def repeat(x: Tensor) -> Tensor:
            return inputs.repeat_views(x.flatten(0, 1), scenes)

        triangle = repeat(traced.mirror_triangle)
        hit, index = triangle >= 0, triangle.clamp_min(0)
        assert scene.vertex_features is not None
        features = interpolate(scene.vertex_features, index, repeat(traced.mirror_barycentric))
        material = lookup(inputs.batch.constant_material(), index) * hit[..., None]
        direct = self._per_input(scene, traced.mirror_direct)
        roughness = inputs.repeat_views(
            rays.surface.subsample(rays.samples).material[..., ROUGHNESS].squeeze(-1), scenes
        )
        light: Tensor = self.mirror(features, direct, material, roughness, repeat(traced.mirror_distance))
        return light

    def _per_input(self, scene: SceneEncoding, light: Tensor) -> Tensor:
        """[S V, H, H, 6] of light [B, V, H, H, 6]: the channels and the unit of each network input."""
        inputs = scene.inputs
        if inputs.copies > 1:
            light = rearrange(light, "b v h w (q c) -> b c v h w q", q=2)
            light = light[..., None].expand(*light.shape, 3).flatten(-2).flatten(0, 1)  # one channel in place of three
        if inputs.unit is not None:
            light = light / torch.where(inputs.unit > 0, inputs.unit, 1.0).view(-1, 1, 1, 1, 1)
        return light.flatten(0, 1)


def _log_image(light: Tensor) -> Tensor:
    """[V, C, H, W] log10(1 + x) of light [V, H, W, C]."""
    return rearrange(torch.log10(1 + light), "v h w c -> v c h w")


@torch.no_grad()
def trace_light(batch: SceneBatch, rays: FirstHitRays, c2w: Tensor) -> TracedLight:
    """Traces the direct light and the mirrored rays of B scenes.

    Args:
        batch: The scenes.
        rays: First hits of V cameras of each.
        c2w: [B, V, 4, 4] camera to world.

    Returns:
        The light, on the device of the batch.
    """
    views = c2w.shape[1]
    parts = []
    for number in range(len(batch.mask)):
        of_scene = slice(number * views, (number + 1) * views)
        normals = face_normals(batch.triangles[number])
        points = _surface_points(batch, rays, c2w, number, of_scene, normals)
        count = int(batch.mask[number].sum())
        parts.append(_trace_scene(batch, number, count, points, normals, rays.samples))
    return TracedLight(*(torch.stack(tensors) for tensors in zip(*parts, strict=True)))


def _surface_points(
    batch: SceneBatch, rays: FirstHitRays, c2w: Tensor, number: int, views: slice, normals: Tensor
) -> SurfacePoints:
    """The seen points of one scene, whose triangles have the unit normals [N, 3]."""
    surface = rays.surface
    triangle, cameras = surface.triangle[views], c2w[number, :, None, None, :3, 3]
    return SurfacePoints(
        position=surface.offset[views] + cameras,
        normal=surface.normal[views],
        face_normal=normals[triangle],
        to_camera=surface.to_camera[views],
        roughness=surface.material[views][..., ROUGHNESS].squeeze(-1),
        lit=rays.hits.seen[views] & ~batch.emitters[number][triangle],
    )


def _trace_scene(
    batch: SceneBatch, number: int, count: int, points: SurfacePoints, normals: Tensor, samples: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The fields of `TracedLight` for one scene of `count` triangles."""
    triangles = batch.triangles[number, :count].float()
    material = batch.constant_material()[number, :count].float()
    emitters = batch.emitters[number, :count]
    array = np.ascontiguousarray(triangles.cpu().numpy())
    lights = light_samples(array, emitters.cpu().numpy())
    caster = ray_caster(array)
    surfaces = triangles[~emitters] if bool((~emitters).any()) else triangles
    extent = float((surfaces.amax((0, 1)) - surfaces.amin((0, 1))).max())
    radiance = lights.radiance(material[:, EMISSION])

    def light_at(seen: SurfacePoints, rays_per_pixel: int, penumbra_rays: int) -> Tensor:
        visibility = light_visibility(seen, lights, caster, extent, rays_per_pixel, penumbra_rays)
        light = direct_light(seen, lights, visibility, radiance)
        return rearrange(light, "v h w c q -> v h w (q c)")

    direct = light_at(points, samples, PENUMBRA_RAYS)
    hits, seen = _mirrored_points(
        points, samples, triangles, batch.vn[number, :count], normals, material, caster, extent
    )
    triangle = torch.where(emitters[hits[0].clamp_min(0)], -1, hits[0])
    return direct, triangle, hits[1], hits[2], light_at(seen, 1, MIRRORED_PENUMBRA_RAYS)


def _mirrored_points(
    points: SurfacePoints,
    samples: int,
    triangles: Tensor,
    vn: Tensor,
    normals: Tensor,
    material: Tensor,
    caster: RayCaster,
    extent: float,
) -> tuple[tuple[Tensor, Tensor, Tensor], SurfacePoints]:
    """Triangle, barycentric coordinates and distance of the hits of mirrored rays, and the points that they meet."""
    first = SurfacePoints(*(getattr(points, f.name)[:, ::samples, ::samples] for f in fields(points)))
    shape, device = first.lit.shape, first.position.device
    normal, to_camera = first.normal, first.to_camera
    direction = 2 * (normal * to_camera).sum(-1, keepdim=True) * normal - to_camera
    side = torch.sign((direction * first.face_normal).sum(-1, keepdim=True))
    origin = first.position + OFFSET * extent * side * first.face_normal
    rows = first.lit.reshape(-1).nonzero()[:, 0].cpu().numpy()
    found = caster.first_hits(origin.reshape(-1, 3).cpu().numpy()[rows], direction.reshape(-1, 3).cpu().numpy()[rows])
    triangle = torch.full((first.lit.numel(),), -1, dtype=torch.long)
    barycentric, distance = torch.zeros(first.lit.numel(), 3), torch.full((first.lit.numel(),), MAX_DISTANCE)
    triangle[rows] = torch.from_numpy(found.triangle)
    barycentric[rows] = torch.from_numpy(found.barycentric)
    distance[rows] = torch.from_numpy(found.distance).clamp_max(MAX_DISTANCE)
    triangle, barycentric = triangle.view(shape).to(device), barycentric.view(*shape, 3).to(device)
    distance = distance.view(shape).to(device)
    hit, index = triangle >= 0, triangle.clamp_min(0)
    position = (triangles[index] * barycentric[..., None]).sum(-2)
    shading = F.normalize((vn[index].float() * barycentric[..., None]).sum(-2), dim=-1)
    shading = torch.where((shading * direction).sum(-1, keepdim=True) > 0, -shading, shading)
    # A rough surface blurs what it mirrors: highlights at the mirrored point are at least as wide as its own lobe.
    roughness = torch.maximum(material[index][..., ROUGHNESS].squeeze(-1), first.roughness)
    emits = (material[index][..., EMISSION] > 0).any(-1)
    met = SurfacePoints(
        position=position,
        normal=shading,
        face_normal=normals[index],
        to_camera=-direction,
        roughness=roughness,
        lit=hit & ~emits,
    )
    return (triangle, barycentric, distance), met
