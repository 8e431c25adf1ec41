"""What a triangle weighs as a key.

Plain softmax gives every triangle one vote, so a finer tessellation of the same surfaces changes the result. With a
weight of its area, the sums over keys become integrals over the surfaces, whose value does not depend on how finely
they are cut (quadrature). Registers and emitters keep weight 1: nothing may outvote them.

Where a triangle is and how it looks: what an attention mechanism may pool triangles by.
"""

import math

import torch
from torch import Tensor

from rfcli.model.batch import SceneBatch

SMALLEST_SHARE = 1e-9  # a degenerate triangle still has a finite logarithm


def log_key_weight(kind: str, batch: SceneBatch, registers: int) -> Tensor | None:
    """[B, registers + N] log weights for kind = normalised or area; None for count, where every key weighs 1."""
    if kind == "count":
        return None
    pooled = batch.mask & ~batch.emitters
    if kind == "normalised":
        share = 1 / pooled.sum(1, keepdim=True).clamp_min(1).float().expand(pooled.shape)
    else:
        a, b, c = batch.triangles.float().unbind(2)
        area = torch.linalg.cross(b - a, c - a).norm(dim=-1) / 2
        share = area / (area * pooled).sum(1, keepdim=True).clamp_min(SMALLEST_SHARE)
    log_share = share.clamp_min(SMALLEST_SHARE).log().masked_fill(~pooled, math.log(1.0))
    return torch.nn.functional.pad(log_share, (registers, 0))


COLOUR = 0.5  # black and white are to be as far apart as half of half the scene, opposite normals as the scene


def surface_features(batch: SceneBatch, registers: int) -> Tensor:
    """[B, registers + N, 9] centroid, unit normal and half the albedo (diffuse + specular); zero for registers."""
    normal = torch.nn.functional.normalize(batch.vn.float().mean(2), dim=-1)
    material = batch.constant_material().float()
    albedo = material[..., :3] + material[..., 3:6]
    features = torch.cat([batch.triangles.float().mean(2), normal, COLOUR * albedo], -1)
    return torch.nn.functional.pad(features, (0, 0, registers, 0))
