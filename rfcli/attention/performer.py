"""FAVOR+ attention: softmax through positive random features, at a cost that grows as N.

    exp(q . k / sqrt(D)) = E_w[ phi_w(q) phi_w(k) ],   phi_w(x) = exp(w . x' - |x'|^2 / 2),   x' = x / D^(1/4)

with m directions w, orthogonal in blocks (Choromanski et al., arXiv 2009.14794); `rfcli.attention.feature_sums` has the
sums over them.
Cost O(N m D) time.
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
    """The layer of the mechanism `performer` for a feature map."""
    return {"learned": LearnedFavor, "favor": Performer}[feature_map](spec, **options)


class Performer(AttentionLayer):
    """FAVOR+.

    features: m, random directions per head. seed: of the directions, which are stored in the checkpoint.
    """

    directions: Tensor  # [H, m, D]

    def __init__(self, spec: LayerSpec, features: int = 256, seed: int = 0) -> None:
        super().__init__(spec)
        self.register_buffer("directions", torch.empty(spec.heads, features, spec.head_dim))
        self.redraw(seed)

    def redraw(self, seed: int) -> None:
        """Draw new directions: a model that trains with one set for ever learns the errors of that set."""
        heads, features, head_dim = self.directions.shape
        generator = torch.Generator().manual_seed(seed + self.spec.index)
        drawn = [orthogonal_gaussian(features, head_dim, generator) for _ in range(heads)]
        self.directions.copy_(torch.stack(drawn))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """Q [B, H, M, D], k, v [B, H, N, D] -> [B, H, M, D] in q's dtype; inside, float32 or better. out: memory that
        may be used for the result where no gradients are wanted; may be q's.
        """
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            directions = self.directions.to(wide).transpose(-1, -2) * q.shape[-1] ** -0.25
            of_keys = partial(softmax_exponents, directions)
            of_queries = partial(torch.matmul, other=directions)  # |q|^2 is a factor of one query, which cancels
            q, k, v, bias = q.to(wide), k.to(wide), v.to(wide), context.key_bias()
            out = out if dtype == wide else None
            return attend_by_features(q, k, v, of_queries, of_keys, bias, out, context.group).to(dtype)


def softmax_exponents(directions: Tensor, x: Tensor) -> Tensor:
    """[..., D] -> [..., m], w . x' - |x'|^2 / 2. directions [D, m], divided by D^(1/4)."""
    halved_norm: Tensor = 0.5 * x.shape[-1] ** -0.5 * x.square().sum(-1, keepdim=True)
    return (x @ directions).sub_(halved_norm)
