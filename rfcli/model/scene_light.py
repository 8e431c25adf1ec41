"""The direct light of one scene: its rays, its light samples, and the tracing of its views."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from rfcli.model.batch import EMISSION, ROUGHNESS, SceneBatch, face_normals
from rfcli.model.direct_light import direct_light
from rfcli.model.light_samples import LightSamples, light_samples
from rfcli.model.mirrored_rays import MirroredHits, lobe_weights, mirrored_hits
from rfcli.model.shadow_rays import PENUMBRA_RAYS, light_visibility
from rfcli.model.surface_points import SeenRays, SurfacePoints, dot, surface_points
from rfcli.model.visibility import SurfaceHits
from rfcli.scene.ray_casting import RayCaster, ray_caster

OFFSET = 2e-4  # of rays from their surface, relative to the extent of the scene
MIRRORED_PENUMBRA_RAYS = 16  # shadow rays of a mirrored point to a partly visible lamp
MAX_SHARP_ROUGHNESS = 0.3  # of reflecting surfaces; rougher ones average their mirrored points over pixels
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
        mirror_weights: [B, 2, 5, V, H, H] from `lobe_weights`.
    """

    direct: Tensor
    mirror_triangle: Tensor
    mirror_barycentric: Tensor
    mirror_distance: Tensor
    mirror_direct: Tensor
    mirror_weights: Tensor


@dataclass(frozen=True)
class SceneLight:
    """One scene of N triangles, ready to be traced from any camera.

    Attributes:
        triangles: [N, 3, 3] vertex positions.
        vn: [N, 3, 3] vertex normals.
        face_normals: [N, 3] unit normals.
        material: [N, 13].
        emitters: [N] bool.
        lights: Samples of the emitters.
        radiance: [K, 3] of the samples.
        caster: Traces rays through the triangles, on the CPU.
        offset: Distance of the origins of rays from their surfaces.
    """

    triangles: Tensor
    vn: Tensor
    face_normals: Tensor
    material: Tensor
    emitters: Tensor
    lights: LightSamples
    radiance: Tensor
    caster: RayCaster
    offset: float

    @classmethod
    @torch.no_grad()
    def of(cls, batch: SceneBatch, number: int) -> "SceneLight":
        """The light of one scene of a batch; everything that its cameras share."""
        mask, emitters = batch.mask[number], batch.emitters[number]
        # Padding stays, without area, so that triangles keep their numbers.
        triangles = torch.where(mask[:, None, None], batch.triangles[number].float(), 0.0)
        material = batch.constant_material()[number].float()
        array = np.ascontiguousarray(triangles.cpu().numpy())
        lights = light_samples(array, emitters.cpu().numpy())
        surfaces = triangles[mask & ~emitters] if bool((mask & ~emitters).any()) else triangles[mask]
        return cls(
            triangles=triangles,
            vn=batch.vn[number].float(),
            face_normals=face_normals(triangles),
            material=material,
            emitters=emitters,
            lights=lights,
            radiance=lights.radiance(material[:, EMISSION]),
            caster=ray_caster(array),
            offset=OFFSET * float((surfaces.amax((0, 1)) - surfaces.amin((0, 1))).max()),
        )

    @torch.no_grad()
    def trace(self, surface: SurfaceHits, seen: Tensor, cameras: Tensor, samples: int) -> TracedLight:
        """Traces the direct light and the mirrored rays of V cameras.

        Args:
            surface: What H s x H s rays of each camera see.
            seen: [V, H s, H s] bool, whether a ray hits anything.
            cameras: [V, 3] positions.
            samples: s, rays along a side of a pixel.

        Returns:
            The light, without the axis of scenes.
        """
        lit = seen & ~self.emitters[surface.triangle]
        face = self.face_normals[surface.triangle]
        rays = SeenRays(
            surface.offset + cameras[:, None, None],
            _visible_normal(surface.normal, face, surface.to_camera),
            face,
            surface.to_camera,
            surface.material[..., ROUGHNESS].squeeze(-1),
            lit,
        )
        points, row = surface_points(rays, samples)
        direct = self._light(points, PENUMBRA_RAYS, None)
        # One row of zeros for rays that are not lit.
        image = F.pad(direct, (0, 0, 0, 1)).index_select(0, row.flatten()).view(*row.shape, 6)
        first, _ = surface_points(rays.subsample(samples), 1)
        return TracedLight(image, *self._mirrored(first))

    def _light(self, points: SurfacePoints, penumbra_rays: int, refined: Tensor | None) -> Tensor:
        """[M, 6] D_A and D_S of points."""
        visibility = light_visibility(points, self.lights, self.caster, self.offset, penumbra_rays, refined)
        return rearrange(direct_light(points, self.lights, visibility, self.radiance), "m c q -> m (q c)")

    def _mirrored(self, points: SurfacePoints) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The other fields of `TracedLight`, from the first seen point of each pixel."""
        weights, spread = lobe_weights(points)
        hits = mirrored_hits(points, spread, self.caster, self.offset)
        reflects = hits.triangle >= 0
        reflects &= ~self.emitters[hits.triangle.clamp_min(0)]
        rows = reflects.nonzero()[:, 0]
        met, sharp = self._met(points, hits, rows), points.roughness[rows] < MAX_SHARP_ROUGHNESS
        distance = hits.distance.clamp_max(MAX_DISTANCE)
        views, side, _ = points.shape

        def image(values: Tensor, pixel: Tensor, fill: float = 0) -> Tensor:
            out = torch.full((views * side * side, *values.shape[1:]), fill, dtype=values.dtype, device=values.device)
            return out.index_copy_(0, pixel, values).view(views, side, side, *values.shape[1:])

        return (
            image(torch.where(reflects, hits.triangle, -1), points.pixel, -1),
            image(hits.barycentric, points.pixel),
            image(distance, points.pixel, MAX_DISTANCE),
            image(self._light(met, MIRRORED_PENUMBRA_RAYS, sharp), met.pixel),
            weights,
        )

    def _met(self, points: SurfacePoints, hits: MirroredHits, rows: Tensor) -> SurfacePoints:
        """The points that some mirrored rays meet, seen along the rays."""
        triangle, weights, direction = (x[rows] for x in (hits.triangle, hits.barycentric, hits.direction))
        position = (self.triangles[triangle] * weights[..., None]).sum(1)
        normal = F.normalize((self.vn[triangle] * weights[..., None]).sum(1), dim=-1)
        normal = torch.where((normal * direction).sum(-1, keepdim=True) > 0, -normal, normal)
        face = self.face_normals[triangle]
        return SurfacePoints(
            position=position,
            normal=normal,
            face_normal=face,
            to_camera=-direction,
            # A rough surface blurs what it mirrors. Single rays do not find highlights that are narrower than its lobe
            # reliably, so highlights there are made wider by it: the widths alpha add.
            roughness=(self.material[triangle][:, ROUGHNESS].squeeze(-1) ** 2 + points.roughness[rows] ** 2).sqrt(),
            pixel=points.pixel[rows],
            ray=torch.arange(len(rows), device=rows.device),
            rays=torch.ones_like(rows),
            origins=position,
            origin_normals=face,
            shape=points.shape,
        )


def _visible_normal(normal: Tensor, face_normal: Tensor, to_camera: Tensor) -> Tensor:
    """Unit shading normals [..., 3] of seen points that do not face away from the viewer.

    At silhouettes of smooth surfaces an interpolated normal can face away while its triangle does not. It was then
    reversed and points into the surface, where no light comes from; it becomes the nearest one that is seen edge-on.
    """
    outward = face_normal * torch.sign(dot(face_normal, to_camera))[..., None]
    inside = (dot(normal, outward) < 0)[..., None]
    edge_on = F.normalize(dot(normal, to_camera)[..., None] * to_camera - normal, dim=-1)
    return torch.where(inside, edge_on, normal)
