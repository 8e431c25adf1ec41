"""FAVOR+ with learned directions and exact registers and emitters: the features of `rf finetune --performer`.

    K(q, k) = e^b / m sum_f exp(r_f . q' - |q'|^2 / 2) exp(s_f . k' - |k'|^2 / 2),   x' = x / (2 D^(1/4))

with m directions r for queries and s for keys. They start as the random directions of FAVOR+ (`rfcli.attention.favor`).
They are trained first to reproduce the layers of a softmax model, then with the whole model.

Three differences from FAVOR+ shorten training (measured in README.md in this folder):

- Registers and emitters are exact keys (`rfcli.attention.exact_keys`), since emitters matter more than other keys.
- Logits are divided by four. FAVOR+ estimates exp(logit) by an average over random directions. For logits of 9 and
  more, few of the m directions contribute to the average, and its error is larger than that of uniform weights.
- Each head has a learned balance b, which sets the weight of all other keys relative to the exact ones. It compensates
  for the division by four, which makes the kernel smaller, by exp(15 var / 32) on average for normally distributed
  logits of variance var.

Learned exponential features are also part of Hedgehog (Zhang et al., arXiv 2402.04347).

Time O(N (m + E) D) for E registers and emitters.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn

from rfcli.attention.context import Context
from rfcli.attention.emitter_clusters import SceneKeys
from rfcli.attention.exact_keys import ExactKeys, head_balance, plan_exact_keys, split_exact_keys
from rfcli.attention.feature_sums import attend_by_features
from rfcli.attention.layer import AttentionLayer
from rfcli.attention.mechanism import LayerSpec
from rfcli.attention.orthogonal import orthogonal_gaussian

GAIN = 0.5  # factor of queries and of keys: logits are a quarter of those of softmax


class LearnedFavor(AttentionLayer):
    """Linear attention with m = `features` learned features per head; registers and emitters are exact.

    `seed` sets the initial directions.
    """

    def __init__(self, spec: LayerSpec, features: int, seed: int = 0) -> None:
        super().__init__(spec)
        generator = torch.Generator().manual_seed(seed + spec.index)
        drawn = [orthogonal_gaussian(features, spec.head_dim, generator) for _ in range(spec.heads)]
        # Stored with norms of about 1: of the scale of the other weights, for which the learning rate is chosen.
        directions = torch.stack(drawn) * spec.head_dim**-0.5
        self.query_directions = nn.Parameter(directions)  # [H, m, D]
        self.key_directions = nn.Parameter(directions.clone())
        self.balance = nn.Parameter(torch.zeros(spec.heads))  # [H], see `head_balance`

    def plan(self, context: Context) -> tuple[SceneKeys, ...] | None:
        """Clusters of emitters, for scenes that have very many."""
        return plan_exact_keys(context)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """q, k, v [B, H, N, D] -> [B, H, N, D] in the dtype of q; computed in float32 or float64."""
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            q, k, v = q.to(wide), k.to(wide), v.to(wide)
            query_directions, key_directions = (
                rows.to(wide).mT * (GAIN * q.shape[-1] ** 0.25) for rows in (self.query_directions, self.key_directions)
            )
            exact, bias = split_exact_keys(k, v, context)
            query_features = partial(torch.matmul, other=query_directions)
            if exact is not None:
                log_factor = head_balance(self.balance.to(wide)) - math.log(query_directions.shape[-1])
                products = append_keys(query_directions, exact.k)
                query_features = partial(query_features_and_logits, products, log_factor, exact)
            result = attend_by_features(
                q,
                k,
                v,
                query_features,
                partial(log_key_features, key_directions),
                bias,
                out if dtype == wide else None,
                context.group,
                None if exact is None else exact.v,
            )
            return context.zero_empty_rows(result).to(dtype)


def log_key_features(directions: Tensor, x: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, m], s . x' - |x'|^2 / 2. directions [H, D, m]: s / (2 D^(1/4))."""
    return (x @ directions).sub_(half_squared_norm(x))


def append_keys(directions: Tensor, keys: Tensor) -> Tensor:
    """[B, H, D, m + E], so that one product gives features and logits. directions [H, D, m]; keys [B, H, E, D]."""
    return torch.cat([directions.expand(len(keys), -1, -1, -1), keys.mT * keys.shape[-1] ** -0.5], -1)


def query_features_and_logits(products: Tensor, log_factor: Tensor, exact: ExactKeys, x: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, m + E], log features of queries, then the logits of the exact keys.

    products: see `append_keys`. log_factor [H, 1, 1]: log(e^b / m). The features lack this factor and exp(-|x'|^2 / 2);
    numerator and denominator are divided by both, so their logarithms are subtracted from the logits instead.
    """
    exponents = x @ products
    exponents[..., -exact.k.shape[2] :] += exact.log_weight.to(x)[:, None, None] + (half_squared_norm(x) - log_factor)
    return exponents


def half_squared_norm(x: Tensor) -> Tensor:
    """[..., D] -> [..., 1], |x'|^2 / 2."""
    half: Tensor = 0.5 * GAIN**2 * x.shape[-1] ** -0.5 * x.square().sum(-1, keepdim=True)
    return half
