"""Hedgehog attention: linear attention whose features are learned to spike as softmax does.

    phi(x) = [softmax(W x), softmax(-W x)],   W [D, D] per head, one for queries and one for keys

(Zhang et al., arXiv 2402.04347); `rfcli.attention.feature_sums` has the sums over the features. W starts as the
identity, learns to imitate the layers of a softmax model, and then with the whole model.

Cost O(N D^2) time.
"""

from functools import partial

import torch
from torch import Tensor, nn

from rfcli.attention.context import Context
from rfcli.attention.feature_sums import attend_by_features


class Hedgehog(nn.Module):
    """Linear attention with learned feature maps, query_map and key_map [H, D, D]."""

    takes_out = True
    sums_over_keys = True

    def __init__(self, heads: int, head_dim: int) -> None:
        super().__init__()
        self.query_map = nn.Parameter(torch.eye(head_dim).repeat(heads, 1, 1))
        self.key_map = nn.Parameter(torch.eye(head_dim).repeat(heads, 1, 1))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """q [B, H, M, D], k, v [B, H, N, D] -> [B, H, M, D] in q's dtype; inside, float32 or better. out: memory that
        may be used for the result where no gradients are wanted; may be q's."""
        dtype = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            of_queries, of_keys = (partial(log_spikes, rows.to(wide)) for rows in (self.query_map, self.key_map))
            q, k, v, bias = q.to(wide), k.to(wide), v.to(wide), context.key_bias()
            out = out if dtype == wide else None
            return attend_by_features(q, k, v, of_queries, of_keys, bias, out, context.group).to(dtype)


def log_spikes(rows: Tensor, x: Tensor) -> Tensor:
    """[..., D] -> [..., 2D], log of [softmax(W x), softmax(-W x)]. rows [D, D]: W."""
    answers = x @ rows.transpose(-1, -2)
    return torch.cat([answers.log_softmax(-1), (-answers).log_softmax(-1)], -1)
