"""Two exact symmetries of light transport, applied around the network instead of being learned by it.

Wavelengths do not mix. Without fluorescence, light of one wavelength stays at that wavelength, so each colour channel
of an image depends only on that channel of the materials and lights. With `channels = apart` a scene is computed three
times, each time with the colours of one channel in place of all three, so the network only computes grey scenes.

Light is linear in emission. With `light = relative` a scene is computed with its emission divided by a unit, and the
predicted incident light is multiplied by the same unit. In an exact network both cancel, whatever the unit is; a unit
that is proportional to the emission makes any network exactly linear in emission. The unit is the amount of light
relative to the scene's size: for each emitter its radiance times area, over the mean squared distance to the surfaces,
so that a small bright lamp far away and a large panel on the ceiling have similar units.
"""

import dataclasses
import math
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch import Tensor

from rfcli.model.batch import COLOURS, EMISSION, SceneBatch, triangle_areas
from rfcli.model.config import RenderFormerConfig

CHANNELS = 3
TYPICAL_LIGHT = 5.0  # median over generated scenes of radiance times area over squared distance; has unit 1
MIN_SQUARED_DISTANCE = 1e-6  # lower bound of an emitter's mean squared distance to the surfaces


@dataclass(frozen=True)
class ComputedScenes:
    """The S scenes that the network computes in place of the B scenes of a batch.

    Attributes:
        batch: The S scenes: the B scenes themselves, or one monochrome copy of each per colour channel.
        copies: S / B, 1 or 3.
        unit: [S] the unit of light of each; None if light is computed as given.
    """

    batch: SceneBatch
    copies: int
    unit: Tensor | None

    def repeat_views(self, x: Tensor, scenes: int) -> Tensor:
        """[B V, ...] values of each view of B scenes -> [S V, ...], the same values for each copy of a scene."""
        return x if self.copies == 1 else repeat(x, "(b v) ... -> (b k v) ...", b=scenes, k=self.copies)


class Transport:
    """Splits scenes before the network and merges its predictions after it.

    With the published settings (channels together, light as given) both do nothing.
    """

    def __init__(self, config: RenderFormerConfig) -> None:
        self.channels_apart = config.channels == "apart"
        self.relative_light = config.light == "relative"

    @property
    def copies(self) -> int:
        """Number of scenes computed per scene with colours."""
        return CHANNELS if self.channels_apart else 1

    def split(self, batch: SceneBatch) -> ComputedScenes:
        """The scenes to compute. A batch that is known to be monochrome is not copied.

        If its channels are computed together, the unit of a scene is the mean over its channels.
        """
        copied = self.channels_apart and not batch.monochrome
        scenes = _one_scene_per_channel(batch) if copied else batch
        copies = CHANNELS if copied else 1
        if not self.relative_light:
            return ComputedScenes(scenes, copies, None)
        units = light_unit(batch)
        unit = units.flatten() if copied else units.mean(1)
        return ComputedScenes(divide_emission(scenes, unit), copies, unit)

    def merge(self, image: Tensor, computed: ComputedScenes) -> Tensor:
        """Predictions for the S computed scenes as predictions for the B scenes of the batch.

        Args:
            image: [S V, H, W, 3 Q], Q quantities of red, green and blue as log10(1 + x), for V views of each scene.
            computed: What `split` returned.

        Returns:
            [B V, H, W, 3 Q].
        """
        if self.channels_apart:
            image = average_channels(image, computed.copies, len(image) // len(computed.batch.mask))
        if computed.unit is None:
            return image
        scenes = len(computed.unit) // computed.copies
        views, quantities = len(image) // scenes, image.shape[-1] // CHANNELS
        pattern = "(b k) -> (b v) 1 1 (q k)"
        unit = repeat(computed.unit, pattern, k=computed.copies, v=views, q=quantities if computed.copies > 1 else 1)
        return scale_log_light(image, unit)


def average_channels(image: Tensor, copies: int, views: int) -> Tensor:
    """[B K V, H, W, 3 Q] of monochrome scenes -> [B V, H, W, 3 Q] of the scenes with colours.

    Args:
        image: Q quantities with three channels each, by V views of K monochrome copies of B scenes. A monochrome scene
            has three predictions of the same value, which are averaged.
        copies: K, 3, or 1 if the scenes themselves are monochrome.
        views: V.
    """
    mean = rearrange(image, "(b k v) h w (q c) -> (b v) h w q k c", k=copies, v=views, c=CHANNELS).mean(-1)
    return mean.expand(-1, -1, -1, -1, CHANNELS).flatten(3)


def light_unit(batch: SceneBatch) -> Tensor:
    """[B, 3] unit of light of red, green and blue; 0 where a scene has no light of that colour."""
    triangles = batch.triangles.float()
    area = triangle_areas(triangles) * batch.mask.float()
    centroid, emission = triangles.mean(2), batch.constant_material()[..., EMISSION].float()
    share = area / area.sum(1, keepdim=True).clamp_min(torch.finfo(area.dtype).tiny)
    mean = (share[..., None] * centroid).sum(1, keepdim=True)
    offset = centroid - mean
    variance = (share * offset.square().sum(-1)).sum(1, keepdim=True)  # mean of |x - y|^2 = |x - mean|^2 + variance
    distance = (offset.square().sum(-1) + variance).clamp_min(MIN_SQUARED_DISTANCE)
    # No matrix product, which autocast would round: the same unit divides emission here and multiplies light elsewhere.
    light: Tensor = ((area / distance)[..., None] * emission).sum(1)
    return light / TYPICAL_LIGHT


def divide_emission(batch: SceneBatch, unit: Tensor) -> SceneBatch:
    """The batch with emission divided by unit [B]; unchanged where the unit is 0."""
    divisor = torch.where(unit > 0, unit, 1.0)
    emission = batch.surface[:, :, EMISSION] / divisor.view(-1, *[1] * (batch.surface.dim() - 1))
    surface = torch.cat([batch.surface[:, :, : EMISSION.start], emission.to(batch.surface.dtype)], 2)
    if batch.material is not None:
        return dataclasses.replace(batch, material=surface)
    return dataclasses.replace(batch, texture=surface)


def scale_log_light(log_light: Tensor, unit: Tensor) -> Tensor:
    """log10(1 + unit x) from log10(1 + x); the shape of unit broadcasts."""
    return torch.log1p(unit * torch.expm1(log_light * math.log(10))) / math.log(10)


def _one_scene_per_channel(batch: SceneBatch) -> SceneBatch:
    """[B] scenes -> [3 B] monochrome scenes."""
    triangles, vn, mask = (repeat(x, "b ... -> (b k) ...", k=CHANNELS) for x in (batch.triangles, batch.vn, batch.mask))
    material, texture = (None if x is None else _one_surface_per_channel(x) for x in (batch.material, batch.texture))
    return SceneBatch(triangles, vn, mask, material, texture, monochrome=True)


def _one_surface_per_channel(surface: Tensor) -> Tensor:
    """[B, N, 13, ...] -> [3 B, N, 13, ...]: the colours of one channel in place of all three."""
    copies = repeat(surface, "b n ... -> b k n ...", k=CHANNELS).clone()
    for colour in COLOURS:
        for channel in range(CHANNELS):
            copies[:, channel, :, colour] = surface[:, :, colour][:, :, channel : channel + 1]
    return copies.flatten(0, 1)
