"""FAVOR+ attention: softmax through positive random features, at a cost that grows as N.

    exp(q . k / sqrt(D)) = E_w[ phi_w(q) phi_w(k) ],   phi_w(x) = exp(w . x' - |x'|^2 / 2),   x' = x / D^(1/4)

with m directions w (orthogonal in blocks, arXiv 2009.14794). Then

    out_i = sum_f phi_f(q_i) S_f / sum_f phi_f(q_i) z_f,   S_f = sum_j phi_f(k_j) v_j,   z_f = sum_j phi_f(k_j)

Features span hundreds of powers of e, so S and z are kept relative to M_f, the largest exponent of feature f over the
keys, and M_f is added back to the exponent of the queries. This is exact: no epsilon drowns small features, and
nothing overflows. |q'|^2 / 2 and every other factor of one query cancels in the fraction.

Cost O(N m D) time; O(chunk m) memory beyond q, k, v and out.
"""

import torch
from torch import Tensor, nn

from rfcli.attention.context import Context
from rfcli.attention.orthogonal import orthogonal_gaussian

CHUNK = 2048  # tokens whose features exist at once: a few MB, and products large enough to run at full speed


class Performer(nn.Module):
    """FAVOR+ with the softmax kernel.

    features: m, random directions per head. seed: of the directions, which are stored in the checkpoint.
    """

    directions: Tensor  # [H, m, D]

    def __init__(self, heads: int, head_dim: int, features: int = 256, seed: int = 0) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"performer needs at least one feature, got {features}.")
        self.features = features
        self.register_buffer("directions", torch.empty(heads, features, head_dim))
        self.redraw(seed)

    def redraw(self, seed: int) -> None:
        """Draw new directions: a model that trains with one set for ever learns the errors of that set."""
        heads, features, head_dim = self.directions.shape
        generator = torch.Generator().manual_seed(seed)
        drawn = [orthogonal_gaussian(features, head_dim, generator) for _ in range(heads)]
        self.directions.copy_(torch.stack(drawn))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
        """q [B, H, M, D], k, v [B, H, N, D] -> [B, H, M, D] in q's dtype; inside, float32 or better."""
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            directions = self.directions.to(wide) * q.shape[-1] ** -0.25
            summary, largest = summarise_keys(k.to(wide), v.to(wide), directions, context.key_bias())
            return query_summary(q.to(wide), summary, largest, directions).to(dtype)


def summarise_keys(k: Tensor, v: Tensor, directions: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """The N keys and values as one summary.

    k, v [B, H, N, D]; directions [H, m, D], already divided by D^(1/4); bias [B, N] added to the keys' exponents.
    Returns S_f with z_f as last column [B, H, m, D + 1], relative to exp(M_f), and M_f [B, H, m].
    """
    scale = k.shape[-1] ** -0.5
    summary = k.new_zeros(*k.shape[:2], directions.shape[1], v.shape[-1] + 1)
    largest = k.new_full(summary.shape[:-1], float("-inf"))
    for start in range(0, k.shape[2], CHUNK):
        part = slice(start, start + CHUNK)
        exponent = k[:, :, part] @ directions.transpose(-1, -2)
        exponent = exponent - 0.5 * scale * k[:, :, part].square().sum(-1, keepdim=True)
        if bias is not None:
            exponent = exponent + bias[:, None, part, None]
        # The maximum only chooses units: the result does not depend on it, so no gradient flows through it.
        updated = torch.maximum(largest, exponent.detach().amax(2))
        reference = updated.masked_fill(updated == float("-inf"), 0.0)  # so far nothing but padding
        weights = torch.exp(exponent - reference[:, :, None])
        ones = torch.ones_like(v[:, :, part, :1])
        part_summary = weights.transpose(-1, -2) @ torch.cat([v[:, :, part], ones], -1)
        summary = summary * torch.exp(largest - reference)[..., None] + part_summary
        largest = updated
    return summary, largest


def query_summary(q: Tensor, summary: Tensor, largest: Tensor, directions: Tensor) -> Tensor:
    """What each query reads from the summary. q [B, H, M, D] -> [B, H, M, D]."""
    parts = []
    for start in range(0, q.shape[2], CHUNK):
        exponent = q[:, :, start : start + CHUNK] @ directions.transpose(-1, -2) + largest[:, :, None]
        exponent = exponent - exponent.detach().amax(-1, keepdim=True)
        sums = torch.exp(exponent) @ summary
        parts.append(sums[..., :-1] / sums[..., -1:])
    return torch.cat(parts, 2)
