"""Two exact symmetries of light transport, applied around the network instead of being learned by it.

Wavelengths do not mix. Without fluorescence, light of one wavelength stays at that wavelength, so each colour channel
of an image depends only on that channel of the materials. With `channels = apart` a scene becomes three inputs of the
network, each with the colours of one channel in place of all three, so that the network is only given grey scenes.

Radiance is linear in emission. With `light = relative` the network is given a scene with its emission divided by a
unit, and the predicted lighting (`rfcli.model.shading`) is multiplied by the same unit. An ideal network gives the same
result for any unit; with a unit proportional to emission any network is linear in emission. The unit is the amount of
light relative to the scene's size: for each emitter its radiance times area, over the mean squared distance to the
surfaces, so that a small bright lamp far away and a large panel on the ceiling have similar units. Of lamps that are
not flat, the network is given the emission that leaves them (`rfcli.model.lamp_shapes`), and all emitters have the
reflectance of those in training scenes.
"""

import dataclasses
import math
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch import Tensor

from rfcli.model.batch import COLOURS, EMISSION, SceneBatch, triangle_areas
from rfcli.model.config import RenderFormerConfig
from rfcli.model.lamp_shapes import light_leaving_lamps

CHANNELS = 3
EMITTER_COLOURS = (1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0)  # diffuse, specular and roughness of emitters in training scenes
TYPICAL_LIGHT = 5.0  # radiance times area over squared distance of unit 1: the median over generated scenes
MIN_SQUARED_DISTANCE = 1e-6  # lower bound of an emitter's mean squared distance to the surfaces


@dataclass(frozen=True)
class NetworkScenes:
    """The S network inputs of B scenes: one per scene, or one per scene and colour channel.

    Attributes:
        batch: The S inputs: the B scenes themselves, or one monochrome copy of each per colour channel.
        copies: Inputs per scene, S / B: 1 or 3.
        unit: [S] the unit by which the emission of each input was divided; None with `light = given`.
    """

    batch: SceneBatch
    copies: int
    unit: Tensor | None

    def repeat_views(self, x: Tensor, scenes: int) -> Tensor:
        """[B V, ...] values of each view of B scenes -> [S V, ...], the same values for all inputs of a scene."""
        return x if self.copies == 1 else repeat(x, "(b v) ... -> (b k v) ...", b=scenes, k=self.copies)


class LightSymmetries:
    """Splits scenes into network inputs and merges the predictions for them.

    With the published settings (channels together, light given) both do nothing.
    """

    def __init__(self, config: RenderFormerConfig) -> None:
        self.channels_apart = config.channels == "apart"
        self.relative_light = config.light == "relative"

    @property
    def copies(self) -> int:
        """Network inputs per scene with colours."""
        return CHANNELS if self.channels_apart else 1

    def split(self, batch: SceneBatch) -> NetworkScenes:
        """The S network inputs of B scenes. A batch that is known to be monochrome is not copied.

        If the channels of a scene are computed together, its unit is the mean over the channels.
        """
        copied = self.channels_apart and not batch.monochrome
        if self.relative_light:
            batch = typical_emitters(scale_emission(batch, light_leaving_lamps(batch)))
        scenes = _one_scene_per_channel(batch) if copied else batch
        copies = CHANNELS if copied else 1
        if not self.relative_light:
            return NetworkScenes(scenes, copies, None)
        units = light_unit(batch)
        unit = units.flatten() if copied else units.mean(1)
        return NetworkScenes(divide_emission(scenes, unit), copies, unit)

    def merge(self, prediction: Tensor, inputs: NetworkScenes) -> Tensor:
        """Predictions for B scenes from those for their S network inputs.

        Args:
            prediction: [S V, H, W, 3 Q] for V views of each input: Q quantities of red, green and blue as log10(1 + x).
                Q = 1, the image, or Q = 2, diffuse and specular lighting.
            inputs: From `split`.

        Returns:
            [B V, H, W, 3 Q].
        """
        if self.channels_apart:
            prediction = average_channels(prediction, inputs.copies, len(prediction) // len(inputs.batch.mask))
        if inputs.unit is None:
            return prediction
        scenes = len(inputs.unit) // inputs.copies
        views, quantities = len(prediction) // scenes, prediction.shape[-1] // CHANNELS
        pattern = "(b k) -> (b v) 1 1 (q k)"
        unit = repeat(inputs.unit, pattern, k=inputs.copies, v=views, q=quantities if inputs.copies > 1 else 1)
        return scale_log_light(prediction, unit)


def average_channels(prediction: Tensor, copies: int, views: int) -> Tensor:
    """[B K V, H, W, 3 Q] of monochrome inputs -> [B V, H, W, 3 Q] of the scenes with colours.

    Args:
        prediction: Q quantities with three channels each, for V views of K monochrome copies of B scenes. The three
            channels of a monochrome input predict the same value and are averaged.
        copies: K: 3, or 1 if the scenes themselves are monochrome.
        views: V.
    """
    mean = rearrange(prediction, "(b k v) h w (q c) -> (b v) h w q k c", k=copies, v=views, c=CHANNELS).mean(-1)
    return mean.expand(-1, -1, -1, -1, CHANNELS).flatten(3)


def light_unit(batch: SceneBatch) -> Tensor:
    """[B, 3] unit of red, green and blue emission; 0 if a scene does not emit in that channel."""
    triangles = batch.triangles.float()
    area = triangle_areas(triangles) * batch.mask.float()
    centroid, emission = triangles.mean(2), batch.constant_material()[..., EMISSION].float()
    share = area / area.sum(1, keepdim=True).clamp_min(torch.finfo(area.dtype).tiny)
    mean = (share[..., None] * centroid).sum(1, keepdim=True)
    offset = centroid - mean
    variance = (share * offset.square().sum(-1)).sum(1, keepdim=True)  # mean of |x - y|^2 = |x - mean|^2 + variance
    distance = (offset.square().sum(-1) + variance).clamp_min(MIN_SQUARED_DISTANCE)
    # No matrix product, which autocast would round: the same unit divides emission and, without autocast, multiplies
    # the predictions.
    light: Tensor = ((area / distance)[..., None] * emission).sum(1)
    return light / TYPICAL_LIGHT


def divide_emission(batch: SceneBatch, unit: Tensor) -> SceneBatch:
    """The batch with emission divided by unit [B]; unchanged where the unit is 0."""
    return scale_emission(batch, 1 / torch.where(unit > 0, unit, 1.0)[:, None])


def typical_emitters(batch: SceneBatch) -> SceneBatch:
    """The batch with emitters of diffuse colour 1, specular colour 0 and roughness 1, as in all training scenes.

    Emitters reflect nothing, so these colours of a file, which no picture shows, must not change the prediction.
    """
    surface = batch.surface
    texel = [1] * (surface.dim() - 3)
    typical = surface.new_tensor(EMITTER_COLOURS).view(-1, *texel)
    emits = batch.emitters.view(*batch.mask.shape, 1, *texel)
    chosen = torch.where(emits, typical, surface[:, :, : len(EMITTER_COLOURS)])
    return with_surface(batch, torch.cat([chosen, surface[:, :, len(EMITTER_COLOURS) :]], 2))


def scale_emission(batch: SceneBatch, factor: Tensor) -> SceneBatch:
    """The batch with emission multiplied by a factor per triangle [B, N], or per scene [B, 1]."""
    emission = batch.surface[:, :, EMISSION] * factor.view(*factor.shape, *[1] * (batch.surface.dim() - 2))
    return with_surface(batch, torch.cat([batch.surface[:, :, : EMISSION.start], emission.to(batch.surface.dtype)], 2))


def with_surface(batch: SceneBatch, surface: Tensor) -> SceneBatch:
    """The batch with other materials, or other textures, of the kind that it has."""
    if batch.material is not None:
        return dataclasses.replace(batch, material=surface)
    return dataclasses.replace(batch, texture=surface)


def scale_log_light(log_light: Tensor, unit: Tensor) -> Tensor:
    """log10(1 + unit x) from log10(1 + x) [...]; unit broadcasts."""
    return torch.log1p(unit * torch.expm1(log_light * math.log(10))) / math.log(10)


def _one_scene_per_channel(batch: SceneBatch) -> SceneBatch:
    """B scenes -> 3 B monochrome scenes."""
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
