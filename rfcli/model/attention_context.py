"""The attention context of a batch: which keys are real, which ones emit light, and the weight of each key.

The config field `key_weight` chooses the factor of each key's exponential in softmax. Plain softmax (count) weighs all
triangles equally, so a finer tessellation of the same surfaces changes the result. With a triangle's area as its weight
(area), sums over keys are quadratures of integrals over the surfaces, whose values do not depend on the tessellation.
Areas are divided by the total area of the triangles that do not emit: all of them together have weight 1. Each register
and each emitter has weight 1 too, as much as all other triangles together, so that no number of triangles outweighs it.
With equal weights that sum to 1 (normalised), only the number of triangles is compensated, not their sizes.
"""

import torch
from torch import Tensor

from rfcli.attention import Context
from rfcli.model.batch import SceneBatch, triangle_areas
from rfcli.model.config import RenderFormerConfig

MIN_WEIGHT = 1e-9  # smallest weight of a key: the logarithm of a degenerate triangle's weight stays finite
COLOUR_SCALE = 0.5  # black and white surfaces differ as much as points 0.87 apart (0.5 sqrt(3), world units)


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


def log_key_weight(kind: str, batch: SceneBatch, registers: int) -> Tensor | None:
    """Natural logarithms of the weights of all keys.

    Args:
        kind: count, normalised or area; normalised weighs a triangle by 1 / number of triangles, area by its share of
            the surface area, both among real triangles that do not emit. All other keys weigh 1.
        batch: B scenes of N triangles.
        registers: Number of register tokens in front of the triangles.

    Returns:
        [B, registers + N]; None for count.
    """
    if kind == "count":
        return None
    weighted = batch.mask & ~batch.emitters
    if kind == "normalised":
        share = 1 / weighted.sum(1, keepdim=True).clamp_min(1).float().expand(weighted.shape)
    else:
        area = triangle_areas(batch.triangles)
        share = area / (area * weighted).sum(1, keepdim=True).clamp_min(MIN_WEIGHT)
    log_share = share.clamp_min(MIN_WEIGHT).log().masked_fill(~weighted, 0.0)
    return torch.nn.functional.pad(log_share, (registers, 0))


def surface_features(batch: SceneBatch, registers: int) -> Tensor:
    """[B, registers + N, 9] centroid, unit normal and scaled albedo (diffuse + specular); zeros for registers."""
    normal = torch.nn.functional.normalize(batch.vn.float().mean(2), dim=-1)
    material = batch.constant_material().float()
    albedo = material[..., :3] + material[..., 3:6]
    features = torch.cat([batch.triangles.float().mean(2), normal, COLOUR_SCALE * albedo], -1)
    return torch.nn.functional.pad(features, (0, 0, registers, 0))
