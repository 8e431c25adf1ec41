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
from dataclasses import dataclass, fields, replace
from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rfcli.model.batch import COLOURS, ROUGHNESS, SceneBatch
from rfcli.model.config import RenderFormerConfig
from rfcli.model.first_hit import FirstHitRays, FirstHitStage
from rfcli.model.mirrored_rays import averaged
from rfcli.model.scene_light import SceneLight, TracedLight
from rfcli.model.shading import FEATURES, average_subpixels
from rfcli.model.symmetries import NetworkScenes
from rfcli.model.view_dependent import Rays, SceneEncoding
from rfcli.model.visibility import interpolate, lookup

MIN_ROUGHNESS = 0.0316  # its square is the path tracer's smallest GGX width
MAX_LOG_LIGHTING = 3.0  # log10, of predicted light at mirrored points
FADE = -2.0  # initial slope of the mirrored ray's share over the logarithm of roughness
INITIAL_LIGHT = 0.05  # log10(1 + light) that a new network predicts: indirect light is dimmer than all light


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

    def encode(
        self, batch: SceneBatch, inputs: NetworkScenes, tokens: Tensor, keep_keys: bool = False
    ) -> SceneEncoding:
        """As with first hits, with the light samples and the ray casters of the scenes."""
        lights = [SceneLight.of(batch, number) for number in range(len(batch.mask))]
        return replace(super().encode(batch, inputs, tokens, keep_keys), lights=lights)

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
            traced = self._traced(scene, rays, c2w.float())
        return TracedRays(**{f.name: getattr(rays, f.name) for f in fields(FirstHitRays)}, traced=traced)

    def _traced(self, scene: SceneEncoding, rays: FirstHitRays, c2w: Tensor) -> TracedLight:
        """The direct light and the mirrored rays of the cameras of all scenes."""
        assert scene.lights is not None
        parts = []
        for number, light in enumerate(scene.lights):
            views = slice(number * c2w.shape[1], (number + 1) * c2w.shape[1])
            surface = rays.surface.map(lambda x, views=views: x[views])  # type: ignore[misc]
            parts.append(light.trace(surface, rays.hits.seen[views], c2w[number, :, :3, 3], rays.samples))
        return TracedLight(*(torch.stack([getattr(part, f.name) for part in parts]) for f in fields(TracedLight)))

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
        weights = rearrange(traced.mirror_weights, "b a t v h w -> (b v) a t h w")
        weights = rearrange(inputs.repeat_views(weights, scenes), "v a t h w -> a t v h w")
        return averaged(light, weights)

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
