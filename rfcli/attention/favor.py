"""FAVOR+: linear attention with positive random features; and the choice between it and learned features.

    exp(q . k / sqrt(D)) = E_r[ phi_r(q) phi_r(k) ],   phi_r(x) = exp(r . x' - |x'|^2 / 2),   x' = x / D^(1/4)

with m random directions r, orthogonal in blocks (Choromanski et al., arXiv 2009.14794). The mechanism `performer` has
these features with the option feature_map = favor, for all keys. Its default are learned features
(`rfcli.attention.learned_favor`). `rfcli.attention.feature_sums` computes the sums over features.

Time O(N m D).
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from rfcli.attention.context import Context
from rfcli.attention.feature_sums import attend_by_features
from rfcli.attention.layer import AttentionLayer
from rfcli.attention.learned_favor import LearnedFavor
from rfcli.attention.mechanism import LayerSpec
from rfcli.attention.orthogonal import orthogonal_gaussian


def performer_layer(spec: LayerSpec, feature_map: str, **options: Any) -> AttentionLayer:
    """A layer of the mechanism `performer`; feature_map: learned or favor."""
    return {"learned": LearnedFavor, "favor": Favor}[feature_map](spec, **options)


class Favor(AttentionLayer):
    """FAVOR+ with m = `features` random directions per head, for all keys.

    `seed` sets the directions, which are stored in the checkpoint.
    """

    directions: Tensor  # [H, m, D]

    def __init__(self, spec: LayerSpec, features: int, seed: int = 0) -> None:
        super().__init__(spec)
        self.register_buffer("directions", torch.empty(spec.heads, features, spec.head_dim))
        self.redraw(seed)

    def redraw(self, seed: int) -> None:
        """Draw new directions: a model that is trained with one fixed set overfits to the errors of that set."""
        heads, features, head_dim = self.directions.shape
        generator = torch.Generator().manual_seed(seed + self.spec.index)
        drawn = [orthogonal_gaussian(features, head_dim, generator) for _ in range(heads)]
        self.directions.copy_(torch.stack(drawn))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """q, k, v [B, H, N, D] -> [B, H, N, D] in the dtype of q; computed in float32 or float64."""
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            directions = self.directions.to(wide).transpose(-1, -2) * q.shape[-1] ** -0.25
            key_features = partial(log_features, directions)
            query_features = partial(torch.matmul, other=directions)  # |q'|^2 cancels in the fraction
            q, k, v, bias = q.to(wide), k.to(wide), v.to(wide), context.key_bias()
            out = out if dtype == wide else None
            result = attend_by_features(q, k, v, query_features, key_features, bias, out, context.group)
            return context.zero_empty_rows(result).to(dtype)


def log_features(directions: Tensor, x: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, m], r . x' - |x'|^2 / 2. directions [H, D, m]: r / D^(1/4)."""
    half_squared_norm: Tensor = 0.5 * x.shape[-1] ** -0.5 * x.square().sum(-1, keepdim=True)
    return (x @ directions).sub_(half_squared_norm)
