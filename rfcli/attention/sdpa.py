"""Exact softmax attention by the kernels of torch.

    out_i = sum_j softmax_j(q_i . k_j / sqrt(D) + b_j) v_j          b_j = log weight of key j, -inf for padding

Cost O(N^2 D) time, O(N) memory (flash attention on CPU and CUDA).
Vaswani et al., Attention Is All You Need, arXiv 1706.03762; Dao et al., FlashAttention, arXiv 2205.14135.
"""

import torch.nn.functional as F
from torch import Tensor

from rfcli.attention.context import Context
from rfcli.attention.layer import AttentionLayer


class SoftmaxAttention(AttentionLayer):
    """Softmax attention; no parameters."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context) -> Tensor:
        """q [B, H, M, D], k, v [B, H, N, D] -> [B, H, M, D]; `context` describes the N keys."""
        bias = context.key_bias()
        mask = None if bias is None else bias[:, None, None, :].to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
