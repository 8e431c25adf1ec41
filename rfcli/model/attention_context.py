"""The attention context of a batch: which keys are real, which ones emit light, and the weight of each key.

The config field `key_weight` chooses the factor of each key's exponential in softmax. Plain softmax (count) weighs all
triangles equally, so a finer tessellation of the same surfaces changes the result. With a triangle's area as its weight
(area), sums over keys are quadratures of integrals over the surfaces, whose values do not depend on the tessellation.
Areas are divided by the total area of the triangles that do not emit: all of them together have weight 1. Each register
has weight 1 too, as much as all other triangles together, so that no number of triangles outweighs it, and so has a
lamp, on average: the weight of an emitter is its share of the light times the number of lamps (`emitter_weights`).
With equal weights that sum to 1 (normalised), only the number of triangles is compensated, not their sizes, and each
emitter has weight 1.
"""

import torch
from torch import Tensor

from rfcli.attention import Context
from rfcli.model.batch import EMISSION, SceneBatch, triangle_areas
from rfcli.model.config import RenderFormerConfig

MIN_WEIGHT = 1e-9  # smallest weight of a key: the logarithm of a degenerate triangle's weight stays finite
LAMP_WIDTH = 0.15  # emitters that are much closer are one lamp, much farther apart several (world units)
EMITTERS_AT_ONCE = 512  # bounds memory
MAX_SAMPLED = 2048  # emitters from which the number of lamps is computed
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
            the surface area, both among real triangles that do not emit. With area, emitters have the weights of
            `emitter_weights`. All other keys weigh 1.
        batch: B scenes of N triangles.
        registers: Number of register tokens in front of the triangles.

    Returns:
        [B, registers + N]; None for count.
    """
    if kind == "count":
        return None
    emitters = batch.emitters
    weighted = batch.mask & ~emitters
    if kind == "normalised":
        weight = 1 / weighted.sum(1, keepdim=True).clamp_min(1).float().expand(weighted.shape)
    else:
        area = triangle_areas(batch.triangles)
        weight = area / (area * weighted).sum(1, keepdim=True).clamp_min(MIN_WEIGHT)
        emission = batch.constant_material()[..., EMISSION].float().mean(-1)
        weight = torch.where(emitters, emitter_weights(batch.triangles, area * emission * emitters), weight)
        weighted = batch.mask
    log_weight = weight.clamp_min(MIN_WEIGHT).log().masked_fill(~weighted, 0.0)
    return torch.nn.functional.pad(log_weight, (registers, 0))


def emitter_weights(triangles: Tensor, light: Tensor) -> Tensor:
    """The weights of emitters as keys: their shares of the light, times a number of lamps.

        w_i = s_i / sum_jk s_j s_k G(x_j - x_k)

    with shares s of the light, centroids x, and a Gaussian G of width LAMP_WIDTH and peak 1, averaged over both
    triangles, which are approximated by normal distributions. The weights sum to 1 for one small lamp, to n for n equal
    lamps far apart, to less if some of them are dim or close together, and to more for a large lamp. Cutting triangles
    into several does not change these sums.

    Args:
        triangles: [B, N, 3, 3].
        light: [B, N] light of each triangle, in any unit: 0 for those that are no emitters.

    Returns:
        [B, N], 0 for triangles without light.
    """
    result = torch.zeros(light.shape)
    # On the CPU in float64, for exact distances: there are few emitters.
    scenes = zip(result, triangles.detach().cpu().double(), light.detach().cpu().double(), strict=True)
    for weights, corners, of_scene in scenes:
        emits = of_scene > 0
        if bool(emits.any()):
            weights[emits] = (
                of_scene[emits] / of_scene.sum() * number_of_lamps(corners[emits], of_scene[emits])
            ).float()
    return result.to(triangles.device)


def number_of_lamps(corners: Tensor, light: Tensor) -> float:
    """1 / sum_jk s_j s_k G(x_j - x_k), see `emitter_weights`. corners [E, 3, 3] and light [E], in float64.

    The covariance of triangle k stands for that of both. Very many emitters are represented by a sample.
    """
    every = -(-len(corners) // MAX_SAMPLED)
    corners, share = corners[::every], light[::every] / light[::every].sum()
    centre = corners.mean(1)
    offset, y = corners - centre[:, None], centre - centre.mean(0)
    covariance = LAMP_WIDTH**2 * torch.eye(3, dtype=torch.double) + 2 * (offset.mT @ offset) / 12
    factor = share * LAMP_WIDTH**3 * torch.linalg.det(covariance).rsqrt()
    # x and y are centroids: (x - y)^T P (x - y) = [x x^T, x, 1] . [P, -2 P y, y^T P y], one matrix product
    precision = torch.linalg.inv(covariance)
    scaled = (precision @ y[..., None])[..., 0]
    columns = torch.cat([precision.flatten(1), -2 * scaled, (scaled * y).sum(-1, keepdim=True)], 1).mT
    rows = torch.cat([(y[..., None] * y[:, None]).flatten(1), y, torch.ones_like(y[:, :1])], 1)
    parts = zip(torch.split(rows, EMITTERS_AT_ONCE), torch.split(share, EMITTERS_AT_ONCE), strict=True)
    return 1 / sum(float(s @ torch.exp(-0.5 * (x @ columns).clamp_min(0)) @ factor) for x, s in parts)


def surface_features(batch: SceneBatch, registers: int) -> Tensor:
    """[B, registers + N, 12] centroid, unit normal, scaled albedo (diffuse + specular) and log10(1 + emission).

    Zeros for registers.
    """
    normal = torch.nn.functional.normalize(batch.vn.float().mean(2), dim=-1)
    material = batch.constant_material().float()
    albedo = material[..., :3] + material[..., 3:6]
    emission = torch.log10(1 + material[..., EMISSION].clamp_min(0))
    features = torch.cat([batch.triangles.float().mean(2), normal, COLOUR_SCALE * albedo, emission], -1)
    return torch.nn.functional.pad(features, (0, 0, registers, 0))
