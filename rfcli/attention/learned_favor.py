"""FAVOR+ that learns its directions and reads registers and emitters exactly: what `rf finetune --performer` trains.

    phi_f(q) = exp(u_f . q'),   phi_f(k) = exp(w_f . k' - |k'|^2 / 2 + c_f),   x' = x / D^(1/4)

with m directions u for queries and w for keys and log weights c, which begin as FAVOR+'s (`rfcli.attention.performer`)
and are learned: first by imitating the layers of a softmax model, then with the whole model. Random directions know
nothing of where keys lie; where logits reach 9 and more, hardly a feature of theirs falls on both a query and the keys
that it should hear. And few keys matter as much as lights do, so these and the registers are no matter of features
(`rfcli.attention.exact_keys`). Learned exponential features are Hedgehog's idea too (Zhang et al., arXiv 2402.04347).

Cost O(N (m + E) D) time for E registers and emitters.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn

from rfcli.attention.context import Context
from rfcli.attention.exact_keys import ExactKeys, set_apart
from rfcli.attention.feature_sums import attend_by_features
from rfcli.attention.orthogonal import orthogonal_gaussian


class LearnedFavor(nn.Module):
    """Linear attention of m learned features per head beside exact registers and emitters.

    features: m. seed: of the directions that learning starts from.
    """

    takes_out = True
    sums_over_keys = True

    def __init__(self, heads: int, head_dim: int, features: int = 256, seed: int = 0) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"performer needs at least one feature, got {features}.")
        generator = torch.Generator().manual_seed(seed)
        drawn = [orthogonal_gaussian(features, head_dim, generator) for _ in range(heads)]
        # About as long as 1, so that the rate that suits the other weights suits these
        directions = torch.stack(drawn) * head_dim**-0.5
        self.query_directions = nn.Parameter(directions)  # [H, m, D]
        self.key_directions = nn.Parameter(directions.clone())
        self.log_weight = nn.Parameter(torch.full((heads, features), -math.log(features)))  # [H, m]

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """q [B, H, M, D], k, v [B, H, N, D] -> [B, H, M, D] in q's dtype; inside, float32 or better. out: memory that
        may be used for the result where no gradients are wanted; may be q's."""
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            q, k, v = q.to(wide), k.to(wide), v.to(wide)
            of_queries, of_keys = (
                rows.to(wide).mT * q.shape[-1] ** 0.25 for rows in (self.query_directions, self.key_directions)
            )
            apart, bias = set_apart(k, v, context)
            return attend_by_features(
                q,
                k,
                v,
                partial(torch.matmul, other=of_queries),
                partial(key_exponents, of_keys, self.log_weight.to(wide)[:, None]),
                bias,
                out if dtype == wide else None,
                context.group,
                None if apart is None else (partial(exact_exponents, apart), apart.v),
            ).to(dtype)


def key_exponents(directions: Tensor, log_weight: Tensor, x: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, m], w . x' - |x'|^2 / 2 + c. directions [H, D, m], divided by D^(1/4); log_weight
    [H, 1, m]: c."""
    return (x @ directions).add_(log_weight).sub_(halved_norm(x))


def exact_exponents(keys: ExactKeys, q: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, E]. A factor exp(-|q'|^2 / 2) is left out for the features, since it would cancel; so
    it is taken off these logits."""
    return keys.logits(q).add_(halved_norm(q))


def halved_norm(x: Tensor) -> Tensor:
    """[..., D] -> [..., 1], |x'|^2 / 2."""
    halved: Tensor = 0.5 * x.shape[-1] ** -0.5 * x.square().sum(-1, keepdim=True)
    return halved
