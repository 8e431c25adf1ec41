"""FAVOR+ that learns its directions and reads registers and emitters exactly: what `rf finetune --performer` trains.

    K(q, k) = e^b / m sum_f exp(u_f . q' - |q'|^2 / 2) exp(w_f . k' - |k'|^2 / 2),   x' = x / (2 D^(1/4))

with m directions u for queries and w for keys, which begin as FAVOR+'s (`rfcli.attention.performer`) and are learned:
first by imitating the layers of a softmax model, then with the whole model. Three things make it learn quickly, each
measured on the layers of a trained model before any training:

- Registers and emitters are no matter of features (`rfcli.attention.exact_keys`): few keys matter as much as lights.
- Logits are quartered. Where they reach 9 and more, hardly a random feature falls on both a query and the keys that it
  should hear; what is left is noise, and the mean of the keys would do better.
- The factor e^b of a head says how much all other keys weigh beside the exact ones, which a blurred kernel
  underestimates: over keys whose logits have variance s^2, by exp(s^2 (1 - 1/16) / 2).

Learned exponential features are Hedgehog's idea too (Zhang et al., arXiv 2402.04347).

Cost O(N (m + E) D) time for E registers and emitters.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn

from rfcli.attention.context import Context
from rfcli.attention.exact_keys import STRIDE, USUAL_BALANCE, ExactKeys, set_apart
from rfcli.attention.feature_sums import attend_by_features
from rfcli.attention.layer import AttentionLayer
from rfcli.attention.mechanism import LayerSpec
from rfcli.attention.orthogonal import orthogonal_gaussian

GAIN = 0.5  # of queries and keys


class LearnedFavor(AttentionLayer):
    """Linear attention of m learned features per head beside exact registers and emitters.

    features: m. seed: of the directions that learning starts from.
    """

    def __init__(self, spec: LayerSpec, features: int = 256, seed: int = 0) -> None:
        super().__init__(spec)
        generator = torch.Generator().manual_seed(seed + spec.index)
        drawn = [orthogonal_gaussian(features, spec.head_dim, generator) for _ in range(spec.heads)]
        # About as long as 1, so that the rate that suits the other weights suits these
        directions = torch.stack(drawn) * spec.head_dim**-0.5
        self.query_directions = nn.Parameter(directions)  # [H, m, D]
        self.key_directions = nn.Parameter(directions.clone())
        self.balance = nn.Parameter(torch.zeros(spec.heads))  # [H] how far b has moved, in strides

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """Q [B, H, M, D], k, v [B, H, N, D] -> [B, H, M, D] in q's dtype; inside, float32 or better. out: memory that
        may be used for the result where no gradients are wanted; may be q's.
        """
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            q, k, v = q.to(wide), k.to(wide), v.to(wide)
            of_queries, of_keys = (
                rows.to(wide).mT * (GAIN * q.shape[-1] ** 0.25) for rows in (self.query_directions, self.key_directions)
            )
            apart, bias = set_apart(k, v, context)
            exponents = partial(torch.matmul, other=of_queries)
            if apart is not None:
                beside = USUAL_BALANCE + STRIDE * self.balance.to(wide) - math.log(of_queries.shape[-1])
                exponents = partial(query_exponents, with_keys(of_queries, apart.k), beside[:, None, None], apart)
            return attend_by_features(
                q,
                k,
                v,
                exponents,
                partial(key_exponents, of_keys),
                bias,
                out if dtype == wide else None,
                context.group,
                None if apart is None else apart.v,
            ).to(dtype)


def key_exponents(directions: Tensor, x: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, m], w . x' - |x'|^2 / 2. directions [H, D, m], divided by 2 D^(1/4)."""
    return (x @ directions).sub_(halved_norm(x))


def with_keys(directions: Tensor, keys: Tensor) -> Tensor:
    """[B, H, D, m + E] for one product with all of them. directions [H, D, m]; keys [B, H, E, D]."""
    return torch.cat([directions.expand(len(keys), -1, -1, -1), keys.mT * keys.shape[-1] ** -0.5], -1)


def query_exponents(directions: Tensor, beside: Tensor, exact: ExactKeys, x: Tensor) -> Tensor:
    """[B, H, n, D] -> [B, H, n, m + E], u . x', and behind them those of the exact keys. directions: `with_keys`.

    Of the features, the factor exp(-|x'|^2 / 2) and that of `beside` [H, 1, 1], its logarithm, are left out; so they
    are taken off the logits of the exact keys.
    """
    exponents = x @ directions
    exponents[..., -exact.k.shape[2] :] += exact.log_weight.to(x)[:, None, None] + (halved_norm(x) - beside)
    return exponents


def halved_norm(x: Tensor) -> Tensor:
    """[..., D] -> [..., 1], |x'|^2 / 2."""
    halved: Tensor = 0.5 * GAIN**2 * x.shape[-1] ** -0.5 * x.square().sum(-1, keepdim=True)
    return halved
