"""Hedgehog attention: linear attention with learned features, whose weights can be as peaked as those of softmax.

    phi(x) = [softmax(W x), softmax(-W x)],   W [D, D] per head, one for queries and one for keys

(Zhang et al., arXiv 2402.04347). `rfcli.attention.feature_sums` computes the sums over features. W starts as the
identity. It is trained first to reproduce the layers of a softmax model, then with the whole model.

The paper uses these features for all keys. Here registers and emitters are exact keys (`rfcli.attention.exact_keys`),
and the kernel of all other keys is e^b D / 2 phi(q) . phi(k) with the learned balance b of the head. The factor D / 2
is a normalisation: uniform features have phi(q) . phi(k) = 2 / D, so that their kernel is e^b.

Time O(N (D + E) D) for E registers and emitters.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn

from rfcli.attention.context import Context
from rfcli.attention.emitter_clusters import SceneKeys
from rfcli.attention.exact_keys import ExactKeys, head_balance, plan_exact_keys, split_exact_keys
from rfcli.attention.feature_sums import LogFeatures, attend_by_features
from rfcli.attention.layer import AttentionLayer
from rfcli.attention.mechanism import LayerSpec


class Hedgehog(AttentionLayer):
    """Linear attention with learned feature maps `query_map`, `key_map` [H, D, D]; registers and emitters are exact."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.query_map = nn.Parameter(torch.eye(spec.head_dim).repeat(spec.heads, 1, 1))
        self.key_map = nn.Parameter(torch.eye(spec.head_dim).repeat(spec.heads, 1, 1))
        self.balance = nn.Parameter(torch.zeros(spec.heads))  # [H], see `head_balance`

    def plan(self, context: Context) -> tuple[SceneKeys, ...] | None:
        """Clusters of emitters, for scenes that have very many."""
        return plan_exact_keys(context)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """q, k, v [B, H, N, D] -> [B, H, N, D] in the dtype of q; computed in float32 or float64."""
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            query_features: LogFeatures = partial(log_softmax_features, self.query_map.to(wide))
            key_features = partial(log_softmax_features, self.key_map.to(wide))
            q, k, v = q.to(wide), k.to(wide), v.to(wide)
            exact, bias = split_exact_keys(k, v, context)
            if exact is not None:
                log_factor = head_balance(self.balance.to(wide)) + math.log(q.shape[-1] / 2)
                query_features = partial(features_and_logits, query_features, log_factor, exact)
            result = attend_by_features(
                q,
                k,
                v,
                query_features,
                key_features,
                bias,
                out if dtype == wide else None,
                context.group,
                None if exact is None else exact.v,
            )
            return context.zero_empty_rows(result).to(dtype)


def log_softmax_features(weight: Tensor, x: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, 2D], log of [softmax(W x), softmax(-W x)]. weight [H, D, D]: W."""
    projected = x @ weight.transpose(-1, -2)
    return torch.cat([projected.log_softmax(-1), (-projected).log_softmax(-1)], -1)


def features_and_logits(features: LogFeatures, log_factor: Tensor, exact: ExactKeys, x: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, 2D + E], log features of queries, then the logits of the exact keys minus log_factor.

    log_factor [H, 1, 1]: log(e^b D / 2). The features lack this factor of their kernel; numerator and denominator are
    divided by it, so it is subtracted from the logits instead.
    """
    logits = x @ exact.k.mT * x.shape[-1] ** -0.5 + exact.log_weight.to(x)[:, None, None] - log_factor
    return torch.cat([features(x), logits], -1)
