"""Exact softmax attention by the kernels of torch.

    out_i = sum_j softmax_j(q_i . k_j / sqrt(D) + log w_j) v_j

with the weight w_j of key j, which is 0 for padding. `sdpa` abbreviates scaled_dot_product_attention, torch's function.

Time O(N^2 D), memory O(N) (flash attention on CPU and CUDA).
Vaswani et al., Attention Is All You Need, arXiv 1706.03762; Dao et al., FlashAttention, arXiv 2205.14135.
"""

import torch.nn.functional as F
from torch import Tensor

from rfcli.attention.context import Context
from rfcli.attention.layer import AttentionLayer


class SoftmaxAttention(AttentionLayer):
    """Softmax attention; no parameters."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
        """q [B, H, Q, D], k, v [B, H, N, D] -> [B, H, Q, D]; `context` describes the N keys."""
        bias = context.key_bias()
        mask = None if bias is None else bias[:, None, None, :].to(q.dtype)
        return context.zero_empty_rows(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
