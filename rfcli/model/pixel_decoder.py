"""From the light that the tokens carry to the radiance of a pixel, where first-hit visibility is known.

The triangle that a pixel sees is known, so its token need not be searched for by attention: it predicts features of
the light at its three vertices; corners of neighbours that are one point of a smooth surface share the mean of what
they predict, and these features are interpolated to the pixel. With the image features of the view stage they
become what arrives at the surface, diffuse A and specular S, and the surface's own colours finish the pixel:

    radiance = diffuse * A + specular * S + emission

A and S are predicted as log10(1 + .). All light transport is the network's; primary visibility and colours are not.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rfcli.model.first_hit import FirstHits
from rfcli.model.norms import RMSNorm
from rfcli.model.scene_batch import SceneBatch
from rfcli.model.shared_vertices import mean_over_shared, shared_vertices
from rfcli.model.stretches import by_stretches

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
        """[B N, 3 CHANNELS] what the tokens [B, N, C] of the triangles of `scenes` tell of their vertices, which share
        it with their neighbours; the same for every camera."""
        features = by_stretches(lambda part: [self.vertex_features(self.token_norm(tokens[:, part]))], tokens)[0]
        at_vertices = rearrange(features, "b n (k c) -> b n k c", k=3)
        shared = mean_over_shared(at_vertices, shared_vertices(scenes.triangles, scenes.vn))
        return shared.flatten(0, 1).flatten(1)

    def forward(
        self, vertex_light: Tensor, image_features: Tensor, scenes: SceneBatch, hits: FirstHits, rays: Tensor
    ) -> Tensor:
        """log10(1 + radiance) [B V, 3, H, H].

        vertex_light: from `light_at_vertices`; image_features [B V, CHANNELS, H, H], hits and unit ray directions in
        world space [B V, H, H, 3] of the views.
        """
        vn, material = scenes.vn, scenes.constant_material()
        count = vn.shape[1]
        views = len(hits.triangle) // len(vn)
        scene = torch.arange(len(hits.triangle), device=vn.device)[:, None, None] // views
        row = hits.triangle.clamp_min(0) + scene * count

        light = rearrange(F.embedding(row, vertex_light), "v h w (k c) -> v k c h w", k=3)
        weights = rearrange(hits.barycentric, "v h w k -> v k 1 h w").to(light.dtype)
        surface = F.embedding(row, material.flatten(0, 1)) * hits.seen[..., None]
        corners = rearrange(F.embedding(row, vn.reshape(-1, 9)), "v h w (k c) -> v h w k c", k=3)
        normal = F.normalize((corners * hits.barycentric[..., None]).sum(-2), dim=-1)

        features = image_features + (light * weights).sum(1) + self.geometry(_geometry(normal, rays, surface))
        features = F.silu(self.mix(F.silu(features))) + features
        features = F.silu(self.refine(F.silu(features))) + features
        arriving = F.softplus(self.light(features).float()).clamp_max(BRIGHTEST)
        return shade(rearrange(arriving, "v (k c) h w -> k v h w c", k=2), surface)


def _geometry(normal: Tensor, rays: Tensor, surface: Tensor) -> Tensor:
    """[V, GEOMETRY, H, H]: the shading normal on the side that is seen, the direction to the camera, roughness."""
    normal = torch.where((normal * rays).sum(-1, keepdim=True) > 0, -normal, normal)
    return rearrange(torch.cat([normal, -rays, surface[..., 6:7]], -1), "v h w c -> v c h w")


def shade(log_light: Tensor, surface: Tensor) -> Tensor:
    """log10(1 + radiance) [V, 3, H, H] from log10(1 + A), log10(1 + S) [2, V, H, H, 3] and material [V, H, H, 13]."""
    diffuse, specular, emission = surface[..., 0:3], surface[..., 3:6], surface[..., 10:13]
    light = torch.pow(10.0, log_light) - 1
    radiance = diffuse * light[0] + specular * light[1] + emission
    return rearrange(torch.log10(1 + radiance), "v h w c -> v c h w")
