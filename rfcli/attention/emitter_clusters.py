"""Clusters of emitters: a lamp of hundreds of triangles needs few exact keys.

Registers and emitters are keys of every query (`rfcli.attention.exact_keys`, `rfcli.attention.nearfar`), so E exact
keys cost O(N E). In a scene of more than 64 emitters these are pooled into 64 clusters: the key, and the value, of a
cluster is the weighted mean over its emitters, and its weight is the sum of theirs. The clusters are found once per
scene. The cluster with the largest product of weight and variance of surface features is halved along its widest axis
until there are enough. Emission is one of the features, so that lamps of different radiance are not pooled.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rfcli.attention.context import Context

MAX_EMITTER_KEYS = 64  # emitters that are keys of their own; more are pooled into this number of clusters
FEATURE_SCALE = 0.5  # of normals, colours and emission; positions are relative to half the extent of all emitters
LLOYD_STEPS = 5
EPSILON = 1e-9


@dataclass(frozen=True)
class SceneKeys:
    """The E exact keys of one scene, from its X registers and emitters.

    Attributes:
        tokens: [X] registers and emitters, ascending.
        key: [X] the exact key, 0 .. E - 1, that each of them belongs to.
        share: [X] share of each in the weight of its key.
        log_weight: [E] of each key.
        clustered: Whether emitters are pooled; else each token is a key.
    """

    tokens: Tensor
    key: Tensor
    share: Tensor
    log_weight: Tensor
    clustered: bool

    def pool(self, x: Tensor) -> Tensor:
        """[..., N, D] keys or values of all tokens -> [..., E, D] those of the exact keys."""
        rows = x.index_select(-2, self.tokens)
        if not self.clustered:
            return rows
        pooled = x.new_zeros(*x.shape[:-2], len(self.log_weight), x.shape[-1])
        return pooled.index_add(-2, self.key, rows * self.share.to(x)[:, None])


@torch.no_grad()
def exact_keys(context: Context) -> tuple[SceneKeys, ...]:
    """The exact keys of every scene of a context with features [B, N, A]."""
    assert context.features is not None
    batch, tokens, _ = context.features.shape
    exact = context.exact_mask(batch, tokens, context.features.device)
    log_weight = exact.float().zero_() if context.log_weight is None else context.log_weight.float()
    scenes = zip(exact, log_weight, context.features.float(), strict=True)
    return tuple(_scene_keys(*scene, context.registers) for scene in scenes)


def _scene_keys(exact: Tensor, log_weight: Tensor, features: Tensor, registers: int) -> SceneKeys:
    """exact [N] bool; log_weight [N]; features [N, A]."""
    tokens = exact.nonzero()[:, 0]
    key, log_weight = torch.arange(len(tokens), device=tokens.device), log_weight[tokens]
    emits = tokens >= registers
    if not (clustered := int(emits.sum()) > MAX_EMITTER_KEYS):
        return SceneKeys(tokens, key, torch.ones_like(log_weight), log_weight, clustered)
    points = features[tokens[emits]]
    extent = (points[:, :3].amax(0) - points[:, :3].amin(0)).max() / 2
    points = torch.cat([points[:, :3] / extent.clamp_min(EPSILON), FEATURE_SCALE * points[:, 3:]], 1)
    first = int((~emits).sum())
    key[emits] = first + cluster(points, log_weight[emits].softmax(0), MAX_EMITTER_KEYS)
    count = int(key.max()) + 1
    one_per_key = torch.where(key == torch.arange(count, device=key.device)[:, None], log_weight, float("-inf"))
    total = one_per_key.logsumexp(1)
    return SceneKeys(tokens, key, (log_weight - total[key]).exp(), total, clustered)


def cluster(features: Tensor, weight: Tensor, clusters: int) -> Tensor:
    """[X] cluster of each point, 0 .. at most `clusters` - 1; every cluster has a point.

    features [X, A]: the points. weight [X] sums to 1.
    """
    points, weight = features.cpu().double(), weight.cpu().double()
    label = torch.zeros(len(points), dtype=torch.long)
    spreads = [_spread(points, weight)]
    while len(spreads) < clusters:
        largest = max(range(len(spreads)), key=spreads.__getitem__)
        index = (label == largest).nonzero()[:, 0]
        upper = _upper_half(points[index], weight[index])
        if upper is None:
            break
        label[index[upper]] = len(spreads)
        halves = (index[~upper], index[upper])
        spreads[largest], other = (_spread(points[half], weight[half]) for half in halves)
        spreads.append(other)
    return label.to(features.device)


def _spread(points: Tensor, weight: Tensor) -> float:
    """Weight times variance; -1 for equal points."""
    if bool((points == points[0]).all()):
        return -1.0
    mean = (weight[:, None] * points).sum(0) / weight.sum()
    return float((weight[:, None] * (points - mean).square()).sum())


def _upper_half(points: Tensor, weight: Tensor) -> Tensor | None:
    """[X] bool, the points above a threshold on the axis of largest variance; None if there is no such half.

    The threshold starts at the mean and moves to the midpoint between the means of both halves, so that it lies between
    lamps and not in one of them (Lloyd's algorithm).
    """
    mean = (weight[:, None] * points).sum(0) / weight.sum()
    axis = (weight[:, None] * (points - mean).square()).sum(0).argmax()
    x, threshold, upper = points[:, axis], mean[axis], None
    for _ in range(LLOYD_STEPS):
        above = x > threshold
        if bool(above.all()) or not bool(above.any()):
            break
        upper = above
        low, high = ((weight * half * x).sum() / (weight * half).sum() for half in (~above, above))
        threshold = (low + high) / 2
    return upper
