"""Brightness in the scene's own unit: the network never has to learn that twice the light makes twice the picture.

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
from torch import Tensor

from rfcli.model.scene_batch import EMISSION, SceneBatch

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
