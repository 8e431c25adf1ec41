"""The projections around an attention mechanism, as both transformers use them."""

from einops import rearrange, repeat
from torch import Tensor, nn

from rfcli.attention import Context
from rfcli.model.encodings import rotate
from rfcli.model.layer_parts import LayerParts

Rotation = tuple[Tensor, Tensor]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, N, H D] -> [B, H, N, D]."""
    return rearrange(x, "b n (h d) -> b h n d", h=heads)


def merge_heads(x: Tensor) -> Tensor:
    """[B, H, N, D] -> [B, N, H D]."""
    return rearrange(x, "b h n d -> b n (h d)")


class SelfAttention(nn.Module):
    """Projections, QK norm over the full width and RoPE around any mechanism `(q, k, v, context) -> out`."""

    def __init__(self, dim: int, heads: int, mechanism: nn.Module, parts: LayerParts) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = parts.linear(dim, 3 * dim)
        self.q_norm = parts.qk_norm(dim)
        self.k_norm = parts.qk_norm(dim)
        self.mechanism = mechanism
        self.out_proj = parts.linear(dim, dim)

    def queries_keys_values(self, x: Tensor, rotation: Rotation | None) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, N, C] -> q, k, v [B, H, N, D], as the mechanism gets them."""
        q, k, v = self.in_proj(x).chunk(3, -1)
        q, k, v = (split_heads(part, self.heads) for part in (self.q_norm(q), self.k_norm(k), v))
        return rotate(q, rotation), rotate(k, rotation), v

    def forward(self, x: Tensor, rotation: Rotation | None, context: Context) -> Tensor:
        out = self.mechanism(*self.queries_keys_values(x, rotation), context)
        return self.out_proj(merge_heads(out))  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another, each with its own rotation."""

    def __init__(self, dim: int, key_dim: int, heads: int, mechanism: nn.Module, parts: LayerParts) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = parts.linear(dim, dim)
        self.k_proj = parts.linear(key_dim, dim)
        self.v_proj = parts.linear(key_dim, dim)
        self.q_norm = parts.qk_norm(dim)
        self.k_norm = parts.qk_norm(dim)
        self.mechanism = mechanism
        self.out_proj = parts.linear(dim, dim)

    def forward(
        self,
        x: Tensor,
        keys: Tensor,
        rotation: Rotation | None,
        key_rotation: Rotation | None,
        context: Context,
    ) -> Tensor:
        """x [B V, M, C], keys [B, N, C'] -> [B V, M, C]: V consecutive sequences of queries read the same keys.

        rotation: of the queries, [B V, M, D / 2]. key_rotation: [B, N, D / 2] where the keys sit at the same places
        for all V, [B V, N, D / 2] where each sees them elsewhere. None: not rotated. `context` speaks of the B keys.
        """
        views = len(x) // len(keys)
        q = rotate(split_heads(self.q_norm(self.q_proj(x)), self.heads), rotation)
        k, v = self.k_norm(self.k_proj(keys)), self.v_proj(keys)
        if key_rotation is None or len(key_rotation[0]) == len(keys):
            k, v = split_heads(k, self.heads), split_heads(v, self.heads)
            q = rearrange(q, "(b v) h m d -> b h (v m) d", v=views)
            out = self.mechanism(q, rotate(k, key_rotation), v, context)
            out = rearrange(out, "b h (v m) d -> (b v) m (h d)", v=views)
        else:
            k, v = (repeat(part, "b n (h d) -> (b v) h n d", h=self.heads, v=views) for part in (k, v))
            out = merge_heads(self.mechanism(q, rotate(k, key_rotation), v, context.repeated(views)))
        return self.out_proj(out)  # type: ignore[no-any-return]
