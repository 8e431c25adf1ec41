"""What both transformers are made of: norm, feed-forward, and the projections around an attention mechanism."""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from rfcli.attention import Context
from rfcli.model.encodings import rotate

Rotation = tuple[Tensor, Tensor]

EPS = 1e-6


class RMSNorm(nn.Module):
    """x / rms(x) * weight, over the last axis, in float32 (Zhang & Sennrich, arXiv 1910.07467)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), EPS).to(x.dtype)


class FeedForward(nn.Module):
    """SwiGLU: w2(silu(w1 x) * w3 x) (Shazeer, arXiv 2002.05202)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return self._whole(x)
        # The hidden activations of all tokens at once would be the peak of the whole model; tokens are independent.
        return torch.cat([self._whole(part) for part in torch.split(x, 4096, 1)], 1)

    def _whole(self, x: Tensor) -> Tensor:
        out: Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return out


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, N, H D] -> [B, H, N, D]."""
    return rearrange(x, "b n (h d) -> b h n d", h=heads)


def merge_heads(x: Tensor) -> Tensor:
    """[B, H, N, D] -> [B, N, H D]."""
    return rearrange(x, "b h n d -> b n (h d)")


class SelfAttention(nn.Module):
    """Projections, QK norm over the full width and RoPE around any mechanism `(q, k, v, context) -> out`."""

    def __init__(self, dim: int, heads: int, mechanism: nn.Module) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = nn.Linear(dim, 3 * dim, bias=False)
        self.q_norm = RMSNorm(dim)
        self.k_norm = RMSNorm(dim)
        self.mechanism = mechanism
        self.out_proj = nn.Linear(dim, dim, bias=False)

    def queries_keys_values(self, x: Tensor, rotation: Rotation | None) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, N, C] -> q, k, v [B, H, N, D], as the mechanism gets them."""
        q, k, v = self.in_proj(x).chunk(3, -1)
        q, k, v = (split_heads(part, self.heads) for part in (self.q_norm(q), self.k_norm(k), v))
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        return q, k, v

    def forward(self, x: Tensor, rotation: Rotation | None, context: Context) -> Tensor:
        out = self.mechanism(*self.queries_keys_values(x, rotation), context)
        return self.out_proj(merge_heads(out))  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another, each with its own rotation."""

    def __init__(self, dim: int, heads: int, mechanism: nn.Module) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.k_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj = nn.Linear(dim, dim, bias=False)
        self.q_norm = RMSNorm(dim)
        self.k_norm = RMSNorm(dim)
        self.mechanism = mechanism
        self.out_proj = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, keys: Tensor, rotation: Rotation, key_rotation: Rotation, context: Context) -> Tensor:
        """x [B V, M, C], keys [B, N, C] -> [B V, M, C]: V consecutive sequences of queries read the same keys.

        rotation: of the queries, [B V, M, D / 2]. key_rotation: [B, N, D / 2] where the keys sit at the same places
        for all V, [B V, N, D / 2] where each sees them elsewhere. `context` speaks of the B keys.
        """
        views = len(x) // len(keys)
        q = rotate(split_heads(self.q_norm(self.q_proj(x)), self.heads), rotation)
        k, v = self.k_norm(self.k_proj(keys)), self.v_proj(keys)
        if len(key_rotation[0]) == len(keys):
            k, v = split_heads(k, self.heads), split_heads(v, self.heads)
            q = rearrange(q, "(b v) h m d -> b h (v m) d", v=views)
            out = self.mechanism(q, rotate(k, key_rotation), v, context)
            out = rearrange(out, "b h (v m) d -> (b v) m (h d)", v=views)
        else:
            k, v = (repeat(part, "b n (h d) -> (b v) h n d", h=self.heads, v=views) for part in (k, v))
            out = merge_heads(self.mechanism(q, rotate(k, key_rotation), v, context.repeated(views)))
        return self.out_proj(out)  # type: ignore[no-any-return]
