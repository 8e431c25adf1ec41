"""FAVOR+ attention: softmax through positive random features, at a cost that grows as N.

    exp(q . k / sqrt(D)) = E_w[ phi_w(q) phi_w(k) ],   phi_w(x) = exp(w . x' - |x'|^2 / 2),   x' = x / D^(1/4)

with m directions w, orthogonal in blocks (Choromanski et al., arXiv 2009.14794); `rfcli.attention.feature_sums` has the
sums over them. The paper's other kernel, phi_w(x) = max(0, w . x') + 0.001, is not softmax's, and learns well.

Cost O(N m D) time.
"""

from functools import partial

import torch
from torch import Tensor, nn

from rfcli.attention.context import Context
from rfcli.attention.feature_sums import attend_by_features
from rfcli.attention.orthogonal import orthogonal_gaussian

RELU_FLOOR = 1e-3  # the paper's: keeps every pair of tokens in sight of one another


class Performer(nn.Module):
    """FAVOR+.

    features: m, random directions per head. seed: of the directions, which are stored in the checkpoint.
    kernel: softmax, whose estimate this is, or relu.
    """

    directions: Tensor  # [H, m, D]
    takes_out = True
    sums_over_keys = True

    def __init__(self, heads: int, head_dim: int, features: int = 256, seed: int = 0, kernel: str = "softmax") -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"performer needs at least one feature, got {features}.")
        if kernel not in EXPONENTS:
            raise ValueError(f"performer has no kernel '{kernel}'; choose one of: {', '.join(EXPONENTS)}.")
        self.features, self.kernel = features, kernel
        self.register_buffer("directions", torch.empty(heads, features, head_dim))
        self.redraw(seed)

    def redraw(self, seed: int) -> None:
        """Draw new directions: a model that trains with one set for ever learns the errors of that set."""
        heads, features, head_dim = self.directions.shape
        generator = torch.Generator().manual_seed(seed)
        drawn = [orthogonal_gaussian(features, head_dim, generator) for _ in range(heads)]
        self.directions.copy_(torch.stack(drawn))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """q [B, H, M, D], k, v [B, H, N, D] -> [B, H, M, D] in q's dtype; inside, float32 or better. out: memory that
        may be used for the result where no gradients are wanted; may be q's."""
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            directions = self.directions.to(wide).transpose(-1, -2) * q.shape[-1] ** -0.25
            of_keys = partial(EXPONENTS[self.kernel], directions)
            # softmax's |q|^2 is a factor of one query, which cancels
            of_queries = partial(torch.matmul, other=directions) if self.kernel == "softmax" else of_keys
            q, k, v, bias = q.to(wide), k.to(wide), v.to(wide), context.key_bias()
            out = out if dtype == wide else None
            return attend_by_features(q, k, v, of_queries, of_keys, bias, out, context.group).to(dtype)


def softmax_exponents(directions: Tensor, x: Tensor) -> Tensor:
    """[..., D] -> [..., m], w . x' - |x'|^2 / 2. directions [D, m], divided by D^(1/4)."""
    halved_norm: Tensor = 0.5 * x.shape[-1] ** -0.5 * x.square().sum(-1, keepdim=True)
    return (x @ directions).sub_(halved_norm)


def relu_exponents(directions: Tensor, x: Tensor) -> Tensor:
    """[..., D] -> [..., m], log(max(0, w . x') + floor). directions [D, m], divided by D^(1/4)."""
    return (torch.relu(x @ directions) + RELU_FLOOR).log()


EXPONENTS = {"softmax": softmax_exponents, "relu": relu_exponents}
