"""The attention context of a batch: which keys are real, which ones emit light, and how much each key weighs.

Plain softmax gives every triangle the same weight, so a finer tessellation of the same surfaces changes the result.
With a triangle's area as its weight, sums over keys are quadratures of integrals over the surfaces, whose values do
not depend on the tessellation. Registers and emitters keep weight 1, so that no number of other keys outweighs them.
"""

from dataclasses import replace

import torch
from torch import Tensor

from rfcli.attention import Context
from rfcli.model.batch import SceneBatch, triangle_areas
from rfcli.model.config import RenderFormerConfig

MIN_WEIGHT = 1e-9  # of a key, so that a degenerate triangle has a finite logarithm
COLOUR_SCALE = 0.5  # makes black and white differ as much as two points a quarter of the scene apart


def key_context(batch: SceneBatch, config: RenderFormerConfig) -> Context:
    """The context of attention with triangles as keys, in either stage; without a plan."""
    registers = config.num_register_tokens

    def with_registers(flags: Tensor, value: bool) -> Tensor:
        return torch.nn.functional.pad(flags, (registers, 0), value=value)

    return Context(
        key_mask=None if bool(batch.mask.all()) else with_registers(batch.mask, True),
        registers=registers,
        emitters=with_registers(batch.emitters, False),
        log_weight=log_key_weight(config.key_weight, batch, registers),
    )


def with_features(context: Context, batch: SceneBatch) -> Context:
    """The context with the features by which a mechanism may pool triangles."""
    return replace(context, features=surface_features(batch, context.registers))


def log_key_weight(kind: str, batch: SceneBatch, registers: int) -> Tensor | None:
    """Natural logarithms of the weights of all keys.

    Args:
        kind: count (1 for each), normalised (1 / number of triangles) or area (share of the surface area).
        batch: B scenes of N triangles.
        registers: Number of register tokens in front of the triangles.

    Returns:
        [B, registers + N]; None for count.
    """
    if kind == "count":
        return None
    pooled = batch.mask & ~batch.emitters
    if kind == "normalised":
        share = 1 / pooled.sum(1, keepdim=True).clamp_min(1).float().expand(pooled.shape)
    else:
        area = triangle_areas(batch.triangles)
        share = area / (area * pooled).sum(1, keepdim=True).clamp_min(MIN_WEIGHT)
    log_share = share.clamp_min(MIN_WEIGHT).log().masked_fill(~pooled, 0.0)
    return torch.nn.functional.pad(log_share, (registers, 0))


def surface_features(batch: SceneBatch, registers: int) -> Tensor:
    """[B, registers + N, 9] centroid, unit normal and scaled albedo (diffuse + specular); zeros for registers."""
    normal = torch.nn.functional.normalize(batch.vn.float().mean(2), dim=-1)
    material = batch.constant_material().float()
    albedo = material[..., :3] + material[..., 3:6]
    features = torch.cat([batch.triangles.float().mean(2), normal, COLOUR_SCALE * albedo], -1)
    return torch.nn.functional.pad(features, (0, 0, registers, 0))
