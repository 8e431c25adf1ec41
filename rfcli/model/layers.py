"""The sublayers of both transformers: norms, feed-forward layers, attention with its projections.

`LayerParts` is the only place that reads the config's switches for them.
"""

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rfcli.attention import AttentionLayer, Context
from rfcli.model.chunked import chunked
from rfcli.model.config import RenderFormerConfig
from rfcli.model.encodings import Rotation, rotate
from rfcli.model.fused_ops import rms_norm_for_training

LAYER_EPS = 1e-6  # epsilon of norms inside the layers of both transformers
# Epsilon of norms after the encoders: torch's defaults, as in the official models.
ENCODER_EPS = {"rms_norm": torch.finfo(torch.float32).eps, "layer_norm": 1e-5, "none": 0.0}


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight, over the last axis (Zhang & Sennrich, arXiv 1910.07467)."""

    def __init__(self, dim: int, eps: float = LAYER_EPS) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and torch.is_grad_enabled():
            return rms_norm_for_training(x.float(), self.weight.float(), self.eps).to(x.dtype)
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.eps).to(x.dtype)


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) * weight + bias, over the last axis (Ba et al., arXiv 1607.06450)."""

    def __init__(self, dim: int, eps: float = LAYER_EPS) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.float(), self.bias.float()
        return F.layer_norm(x.float(), self.weight.shape, weight, bias, self.eps).to(x.dtype)


def layer_norm(kind: str, dim: int) -> nn.Module:
    """A norm inside a transformer layer. kind: rms_norm or layer_norm."""
    return _NORMS[kind](dim, LAYER_EPS)


def encoder_norm(kind: str, dim: int) -> nn.Module:
    """The norm after an encoder of positions, normals, materials or rays. kind: rms_norm, layer_norm or none."""
    return nn.Identity() if kind == "none" else _NORMS[kind](dim, ENCODER_EPS[kind])


_NORMS: dict[str, type[RMSNorm] | type[LayerNorm]] = {"rms_norm": RMSNorm, "layer_norm": LayerNorm}


class FeedForward(nn.Module):
    """Token-wise feed-forward layer, dim -> hidden -> dim; a subclass defines the hidden activations."""

    def __init__(self, dim: int, hidden: int, bias: bool, dropout: float) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=bias)
        self.w2 = nn.Linear(hidden, dim, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def hidden(self, x: Tensor) -> Tensor:
        """[..., dim] -> [..., hidden]."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] -> [..., dim]."""
        out: Tensor = self.dropout(self.w2(self.dropout(self.hidden(x))))
        return out


class SwiGLUFeedForward(FeedForward):
    """w2(silu(w1 x) * w3 x) (Shazeer, arXiv 2002.05202)."""

    def __init__(self, dim: int, hidden: int, bias: bool, dropout: float) -> None:
        super().__init__(dim, hidden, bias, dropout)
        self.w3 = nn.Linear(dim, hidden, bias=bias)

    def hidden(self, x: Tensor) -> Tensor:
        gate: Tensor = self.w1(x)
        if torch.is_grad_enabled():
            return F.silu(gate) * self.w3(x)  # type: ignore[no-any-return]
        return F.silu(gate, inplace=True).mul_(self.w3(x))  # the gate is not needed again


class GELUFeedForward(FeedForward):
    """w2(gelu(w1 x)) with gelu(x) = x Phi(x), Phi exact, not its tanh approximation (Hendrycks, arXiv 1606.08415)."""

    def hidden(self, x: Tensor) -> Tensor:
        return F.gelu(self.w1(x))


def add_feed_forward(x: Tensor, norm: nn.Module, feed_forward: nn.Module, dropout: nn.Module) -> Tensor:
    """Pre-norm residual branch: x + dropout(feed_forward(norm(x))), [B, N, dim].

    In chunks: the hidden activations of all tokens, several times wider than x, would be the model's peak memory.
    """
    return chunked(lambda part: [x[:, part] + dropout(feed_forward(norm(x[:, part])))], x)[0]


FEED_FORWARD: dict[str, type[FeedForward]] = {"swiglu": SwiGLUFeedForward, "gelu": GELUFeedForward}


class LayerParts:
    """Builds the sublayers of one transformer from the config. qk_norm: whether queries and keys are normalised."""

    def __init__(self, config: RenderFormerConfig, qk_norm: bool) -> None:
        self._config = config
        self._qk_norm = qk_norm

    def linear(self, inputs: int, outputs: int) -> nn.Module:
        """A projection of attention."""
        return nn.Linear(inputs, outputs, bias=self._config.bias)

    def norm(self, dim: int) -> nn.Module:
        """The norm before attention or feed-forward."""
        return layer_norm(self._config.norm_type, dim)

    def qk_norm(self, dim: int) -> nn.Module:
        """The norm of queries or keys, over all heads together."""
        return self.norm(dim) if self._qk_norm else nn.Identity()

    def feed_forward(self, dim: int, hidden: int) -> nn.Module:
        """A feed-forward layer with the config's activation."""
        config = self._config
        return FEED_FORWARD[config.activation](dim, hidden, config.bias, config.dropout)

    def dropout(self) -> nn.Module:
        """Dropout of a residual branch, active in training."""
        return nn.Dropout(self._config.dropout)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, N, H D] -> [B, H, N, D]."""
    return rearrange(x, "b n (h d) -> b h n d", h=heads)


def merge_heads(x: Tensor) -> Tensor:
    """[B, H, N, D] -> [B, N, H D]."""
    return rearrange(x, "b h n d -> b n (h d)")


def rotate_part(x: Tensor, rotation: Rotation | None, part: slice) -> Tensor:
    """Rotates the tokens x [B, H, n, D] of the slice `part` of a sequence by that slice of its rotation."""
    return rotate(x, None if rotation is None else (rotation[0][:, part], rotation[1][:, part]))


class SelfAttention(nn.Module):
    """Projections, QK norm over the full width and RoPE around any attention mechanism.

    The norm before the projections is an argument of the methods: it is applied chunk by chunk, so that the normalised
    tokens of all triangles are not in memory at the same time.
    """

    def __init__(
        self, dim: int, heads: int, mechanism: AttentionLayer, parts: LayerParts, takes_output_buffer: bool = False
    ) -> None:
        super().__init__()
        self.heads = heads
        self.takes_output_buffer = takes_output_buffer
        self.in_proj = parts.linear(dim, 3 * dim)
        self.q_norm = parts.qk_norm(dim)
        self.k_norm = parts.qk_norm(dim)
        self.mechanism = mechanism
        self.out_proj = parts.linear(dim, dim)

    def queries_keys_values(self, x: Tensor, norm: nn.Module, rotation: Rotation | None) -> list[Tensor]:
        """Queries, keys and values [B, H, N, D] of x [B, N, C], normalised and rotated."""

        def project(part: slice) -> list[Tensor]:
            q, k, v = self.in_proj(norm(x[:, part])).chunk(3, -1)
            q, k, v = (split_heads(rows, self.heads) for rows in (self.q_norm(q), self.k_norm(k), v))
            return [rotate_part(q, rotation, part), rotate_part(k, rotation, part), v]

        return chunked(project, x)

    def forward(self, x: Tensor, norm: nn.Module, rotation: Rotation | None, context: Context) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        return self.projected(self._attended(x, norm, rotation, context))

    def _attended(self, x: Tensor, norm: nn.Module, rotation: Rotation | None, context: Context) -> Tensor:
        """[B, H, N, D] the mechanism's output; mechanisms that take an output buffer write it into the memory of q."""
        q, k, v = self.queries_keys_values(x, norm, rotation)
        buffer = {"out": q} if self.takes_output_buffer else {}
        return self.mechanism(q, k, v, context, **buffer)  # type: ignore[no-any-return]

    def projected(self, out: Tensor) -> Tensor:
        """The output projection: [B, H, N, D] -> [B, N, C]."""
        return chunked(lambda part: [self.out_proj(merge_heads(out[:, :, part]))], out)[0]


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another, each with its own rotation."""

    def __init__(self, dim: int, key_dim: int, heads: int, mechanism: AttentionLayer, parts: LayerParts) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = parts.linear(dim, dim)
        self.k_proj = parts.linear(key_dim, dim)
        self.v_proj = parts.linear(key_dim, dim)
        self.q_norm = parts.qk_norm(dim)
        self.k_norm = parts.qk_norm(dim)
        self.mechanism = mechanism
        self.out_proj = parts.linear(dim, dim)

    def keys_values(self, tokens: Tensor, norm: nn.Module, rotation: Rotation | None) -> list[Tensor]:
        """Keys and values [B, H, N, D] of norm(tokens), tokens [B, N, C']; keys rotated."""

        def project(part: slice) -> list[Tensor]:
            normed = norm(tokens[:, part])
            k, v = (split_heads(x, self.heads) for x in (self.k_norm(self.k_proj(normed)), self.v_proj(normed)))
            return [rotate_part(k, rotation, part), v]

        return chunked(project, tokens)

    def forward(self, x: Tensor, k: Tensor, v: Tensor, rotation: Rotation | None, context: Context) -> Tensor:
        """Attends from the queries of S V sequences to the keys of S sequences.

        Args:
            x: [S V, M, C]; V consecutive sequences share their keys.
            k: Keys [S, H, N, D], or [S V, H, N, D] if each sequence has its own.
            v: Values of the same shape.
            rotation: Cosines and sines [S V, M, D / 2] of the queries.
            context: Attention context of the keys.

        Returns:
            [S V, M, C].
        """
        q = rotate(split_heads(self.q_norm(self.q_proj(x)), self.heads), rotation)
        views = len(x) // len(k)
        q = rearrange(q, "(b v) h m d -> b h (v m) d", v=views)
        out = self.mechanism(q, k, v, context)
        return self.out_proj(rearrange(out, "b h (v m) d -> (b v) m (h d)", v=views))  # type: ignore[no-any-return]


def run_layer(layer: nn.Module, recompute: bool, *inputs: Any) -> Tensor:
    """Calls `layer(*inputs)`, optionally with activation checkpointing.

    With `recompute` only the inputs are saved, and backward runs the layer a second time; outputs, gradients and
    dropout are the same (Chen et al., Training Deep Nets with Sublinear Memory Cost, arXiv 1604.06174).
    """
    if not (recompute and torch.is_grad_enabled()):
        return layer(*inputs)  # type: ignore[no-any-return]
    out: Tensor = checkpoint(layer, *inputs, use_reentrant=False)
    return out
