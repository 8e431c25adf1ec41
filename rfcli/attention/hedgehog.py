"""Hedgehog attention: linear attention whose features are learned to spike as softmax does.

    phi(x) = [softmax(W x), softmax(-W x)],   W [D, D] per head, one for queries and one for keys

(Zhang et al., arXiv 2402.04347); `rfcli.attention.feature_sums` has the sums over the features. W starts as the
identity, learns to imitate the layers of a softmax model, and then with the whole model.

The paper's features are for all keys. Here registers and emitters are read one by one (`rfcli.attention.exact_keys`),
and the features give the others, times e^b D / 2: features that tell nothing apart make phi(q) . phi(k) = 2 / D, where
softmax's kernel is about e^b. Each head learns its b.

Cost O(N (D + E) D) time for E registers and emitters.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn

from rfcli.attention.context import Context
from rfcli.attention.exact_keys import STRIDE, USUAL_BALANCE, ExactKeys, set_apart
from rfcli.attention.feature_sums import Exponents, attend_by_features
from rfcli.attention.layer import AttentionLayer
from rfcli.attention.mechanism import LayerSpec


class Hedgehog(AttentionLayer):
    """Linear attention: feature maps query_map, key_map [H, D, D] are learned; registers and emitters are exact."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.query_map = nn.Parameter(torch.eye(spec.head_dim).repeat(spec.heads, 1, 1))
        self.key_map = nn.Parameter(torch.eye(spec.head_dim).repeat(spec.heads, 1, 1))
        self.balance = nn.Parameter(torch.zeros(spec.heads))  # [H] how far b has moved, in strides

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """Q [B, H, M, D], k, v [B, H, N, D] -> [B, H, M, D] in q's dtype; inside, float32 or better. out: memory that
        may be used for the result where no gradients are wanted; may be q's.
        """
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            of_queries, of_keys = (partial(log_spikes, rows.to(wide)) for rows in (self.query_map, self.key_map))
            q, k, v = q.to(wide), k.to(wide), v.to(wide)
            apart, bias = set_apart(k, v, context)
            if apart is not None:
                beside = USUAL_BALANCE + STRIDE * self.balance.to(wide) + math.log(q.shape[-1] / 2)
                of_queries = partial(with_logits, of_queries, beside[:, None, None], apart)
            return attend_by_features(
                q,
                k,
                v,
                of_queries,
                of_keys,
                bias,
                out if dtype == wide else None,
                context.group,
                None if apart is None else apart.v,
            ).to(dtype)


def log_spikes(rows: Tensor, x: Tensor) -> Tensor:
    """[..., D] -> [..., 2D], log of [softmax(W x), softmax(-W x)]. rows [D, D]: W."""
    answers = x @ rows.transpose(-1, -2)
    return torch.cat([answers.log_softmax(-1), (-answers).log_softmax(-1)], -1)


def with_logits(features: Exponents, beside: Tensor, exact: ExactKeys, x: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, 2D + E], logarithms of the features and behind them those of the exact keys, relative
    to `beside` [H, 1, 1], the logarithm of what the features are to be multiplied by.
    """
    logits = x @ exact.k.mT * x.shape[-1] ** -0.5 + exact.log_weight.to(x)[:, None, None] - beside
    return torch.cat([features(x), logits], -1)
