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

from rfcli.model.norms import RMSNorm
from rfcli.model.scene_batch import COLOURS, SceneBatch
from rfcli.model.seen_surface import SeenSurface, interpolated
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
        """[B, N, 3 CHANNELS] what the tokens [B, N, C] of the triangles of `scenes` tell of their vertices, which share
        it with their neighbours; the same for every camera."""
        features = by_stretches(lambda part: [self.vertex_features(self.token_norm(tokens[:, part]))], tokens)[0]
        at_vertices = rearrange(features, "b n (k c) -> b n k c", k=3)
        shared = mean_over_shared(at_vertices, shared_vertices(scenes.triangles, scenes.vn))
        return shared.flatten(2)

    def forward(self, vertex_light: Tensor, image_features: Tensor, surface: SeenSurface) -> Tensor:
        """log10(1 + A), then log10(1 + S), of r, g and b: [V, H, H, 6].

        vertex_light: from `light_at_vertices`; image_features [V, CHANNELS, H, H]; surface: what V views see of those
        scenes.
        """
        light = interpolated(vertex_light, surface.triangle, surface.weights)
        geometry = torch.cat([surface.normal, surface.towards, surface.material[..., 6:7]], -1)
        light, geometry = (rearrange(x, "v h w c -> v c h w") for x in (light, geometry))
        features = image_features + light + self.geometry(geometry)
        features = F.silu(self.mix(F.silu(features))) + features
        features = F.silu(self.refine(F.silu(features))) + features
        arriving = F.softplus(self.light(features).float()).clamp_max(BRIGHTEST)
        return rearrange(arriving, "v c h w -> v h w c")


def radiance(light: Tensor, material: Tensor) -> Tensor:
    """[..., 3] of surfaces of material [..., 13] at which light [..., 6] arrives, A and S."""
    diffuse, specular, emission = (material[..., colour] for colour in COLOURS)
    return diffuse * light[..., :3] + specular * light[..., 3:] + emission
