"""Red, green and blue apart: each channel of a picture is that of a scene of its own.

Light of one wavelength never becomes light of another on surfaces without fluorescence, so what a channel of the image
shows depends on that channel of the materials and the lights alone. A network that sees all three at once has to learn
so, and that they obey one law; here it is given: a scene is computed three times, each time with the colours of one
channel in the place of all three. Red walls then redden their neighbours by what the network knows of grey ones.

Brightness in the scene's own unit: the network never has to learn that twice the light makes twice the picture.

Light transport is linear in emission. A scene is computed with its emission divided by a unit, and what the network
says of arriving light is multiplied by it again; both cancel, whatever the unit is, in a network that is right. A unit
that grows with the emission makes every network exactly linear in it.

The unit is how much light a scene has for its size: for each emitter its flux, radiance times area, over the mean
square of its distance from the surfaces, so that a small bright lamp far away and a large panel on the ceiling come to
much the same. No surface gets its light by this number: it is one for the whole scene.
"""

import dataclasses
import math

import torch
from einops import rearrange, repeat
from torch import Tensor

from rfcli.model.batch import COLOURS, EMISSION, SceneBatch
from rfcli.model.config import RenderFormerConfig

CHANNELS = 3


def channels_computed(config: RenderFormerConfig) -> int:
    """How many scenes the network computes in the place of one."""
    return CHANNELS if config.channels == "apart" else 1


def scenes_computed(batch: SceneBatch, config: RenderFormerConfig) -> tuple[SceneBatch, Tensor | None]:
    """The S scenes that the network computes, and the units [S] in which their light is.

    For B scenes they are these, or with channels apart the 3 B monochrome ones of them. No units where light is
    computed as given; a scene of three channels has the unit of their mean.
    """
    apart = channels_computed(config) > 1 and not batch.monochrome
    scenes = _of_each_channel(batch) if apart else batch
    if config.light == "given":
        return scenes, None
    units = light_unit(batch)
    unit = units.flatten() if apart else units.mean(1)
    return in_its_unit(scenes, unit), unit


def of_three_channels(answers: Tensor, channels: int, views: int) -> Tensor:
    """Of what was computed for each channel apart, one answer: [B V, H, W, 3 Q] from [B K V, H, W, 3 Q].

    answers: Q quantities of r, g and b by V views of K monochrome scenes in the place of each of B. They are three
    answers to one question, whose mean is taken. K = channels: 3, or 1 where the scene itself has but one.
    """
    apart = rearrange(answers, "(b k v) h w (q c) -> (b v) h w q k c", k=channels, v=views, c=CHANNELS).mean(-1)
    return apart.expand(-1, -1, -1, -1, CHANNELS).flatten(3)


def _of_each_channel(batch: SceneBatch) -> SceneBatch:
    triangles, vn, mask = (repeat(x, "b ... -> (b k) ...", k=CHANNELS) for x in (batch.triangles, batch.vn, batch.mask))
    material, texture = (None if x is None else _surface_of_each(x) for x in (batch.material, batch.texture))
    return SceneBatch(triangles, vn, mask, material, texture, monochrome=True)


def _surface_of_each(surface: Tensor) -> Tensor:
    """[3 B, N, 13, ...] of materials or textures [B, N, 13, ...]: each channel's colours in the place of all three."""
    apart = repeat(surface, "b n ... -> b k n ...", k=CHANNELS).clone()
    for colour in COLOURS:
        for channel in range(CHANNELS):
            apart[:, channel, :, colour] = surface[:, :, colour][:, :, channel : channel + 1]
    return apart.flatten(0, 1)


USUAL = 5.0  # radiance times area over squared distance, median of generated scenes: what the unit 1 stands for
NEAREST = 1e-6  # mean square of distances, below which an emitter is not nearer


def light_unit(batch: SceneBatch) -> Tensor:
    """[B, 3] of r, g and b; 0 where a scene has no light of that colour."""
    triangles, weight = batch.triangles.float(), batch.mask.float()
    a, b, c = triangles.unbind(2)
    area = torch.linalg.vector_norm(torch.linalg.cross(b - a, c - a), dim=-1) / 2 * weight
    centroid, emission = triangles.mean(2), batch.constant_material()[..., EMISSION].float()
    share = area / area.sum(1, keepdim=True).clamp_min(torch.finfo(area.dtype).tiny)
    mean = (share[..., None] * centroid).sum(1, keepdim=True)
    apart = centroid - mean
    spread = (share * apart.square().sum(-1)).sum(1, keepdim=True)  # mean of |x - y|^2 = |x - mean|^2 + variance
    distance = (apart.square().sum(-1) + spread).clamp_min(NEAREST)
    # No matrix product, which autocast would round: one unit divides here, and elsewhere multiplies
    light: Tensor = ((area / distance)[..., None] * emission).sum(1)
    return light / USUAL


def in_its_unit(batch: SceneBatch, unit: Tensor) -> SceneBatch:
    """The scene with its emission divided by unit [B]; where that is 0, as it is."""
    divisor = torch.where(unit > 0, unit, 1.0)
    emission = batch.surface[:, :, EMISSION] / divisor.view(-1, *[1] * (batch.surface.dim() - 1))
    surface = torch.cat([batch.surface[:, :, : EMISSION.start], emission.to(batch.surface.dtype)], 2)
    if batch.material is not None:
        return dataclasses.replace(batch, material=surface)
    return dataclasses.replace(batch, texture=surface)


def from_its_unit(log_light: Tensor, unit: Tensor) -> Tensor:
    """log10(1 + unit x) of log10(1 + x); unit of a shape that broadcasts."""
    return torch.log1p(unit * torch.expm1(log_light * math.log(10))) / math.log(10)
