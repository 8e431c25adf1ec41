"""The projections around an attention mechanism, as both transformers use them."""

from einops import rearrange
from torch import Tensor, nn

from rfcli.attention import Context
from rfcli.model.encodings import rotate
from rfcli.model.layer_parts import LayerParts
from rfcli.model.stretches import by_stretches

Rotation = tuple[Tensor, Tensor]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, N, H D] -> [B, H, N, D]."""
    return rearrange(x, "b n (h d) -> b h n d", h=heads)


def merge_heads(x: Tensor) -> Tensor:
    """[B, H, N, D] -> [B, N, H D]."""
    return rearrange(x, "b h n d -> b n (h d)")


def rotate_part(x: Tensor, rotation: Rotation | None, part: slice) -> Tensor:
    """The tokens `part` of a sequence, which x [B, H, n, D] are, rotated by their part of the sequence's rotation."""
    return rotate(x, None if rotation is None else (rotation[0][:, part], rotation[1][:, part]))


class SelfAttention(nn.Module):
    """Projections, QK norm over the full width and RoPE around any mechanism `(q, k, v, context) -> out`.

    norm: what is applied to x before the projections. It is an argument, since the normalised tokens of a long scene
    are not to exist all at once.
    """

    def __init__(self, dim: int, heads: int, mechanism: nn.Module, parts: LayerParts) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = parts.linear(dim, 3 * dim)
        self.q_norm = parts.qk_norm(dim)
        self.k_norm = parts.qk_norm(dim)
        self.mechanism = mechanism
        self.out_proj = parts.linear(dim, dim)

    def queries_keys_values(self, x: Tensor, norm: nn.Module, rotation: Rotation | None) -> list[Tensor]:
        """x [B, N, C] -> q, k, v [B, H, N, D], as the mechanism gets them."""

        def project(part: slice) -> list[Tensor]:
            q, k, v = self.in_proj(norm(x[:, part])).chunk(3, -1)
            q, k, v = (split_heads(rows, self.heads) for rows in (self.q_norm(q), self.k_norm(k), v))
            return [rotate_part(q, rotation, part), rotate_part(k, rotation, part), v]

        return by_stretches(project, x)

    def forward(self, x: Tensor, norm: nn.Module, rotation: Rotation | None, context: Context) -> Tensor:
        """x [B, N, C] -> [B, N, C]."""
        return self.projected(self._attended(x, norm, rotation, context))

    def _attended(self, x: Tensor, norm: nn.Module, rotation: Rotation | None, context: Context) -> Tensor:
        """[B, H, N, D] what the mechanism finds; written over q, which nobody else reads, by mechanisms that can."""
        q, k, v = self.queries_keys_values(x, norm, rotation)
        over = {"out": q} if getattr(self.mechanism, "takes_out", False) else {}
        return self.mechanism(q, k, v, context, **over)  # type: ignore[no-any-return]

    def projected(self, out: Tensor) -> Tensor:
        """What the mechanism has found, [B, H, N, D] -> [B, N, C]."""
        return by_stretches(lambda part: [self.out_proj(merge_heads(out[:, :, part]))], out)[0]


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

    def keys_values(self, tokens: Tensor, norm: nn.Module, rotation: Rotation | None) -> list[Tensor]:
        """What any number of queries can read: k, v [B, H, N, D] of `norm`(tokens), tokens [B, N, C']; k rotated."""

        def project(part: slice) -> list[Tensor]:
            normed = norm(tokens[:, part])
            k, v = (split_heads(x, self.heads) for x in (self.k_norm(self.k_proj(normed)), self.v_proj(normed)))
            return [rotate_part(k, rotation, part), v]

        return by_stretches(project, tokens)

    def forward(self, x: Tensor, k: Tensor, v: Tensor, rotation: Rotation | None, context: Context) -> Tensor:
        """x [B V, M, C] -> [B V, M, C]: V consecutive sequences of queries read the same keys.

        k, v [B, H, N, D], or [B V, H, N, D] where each of the V has its own. rotation: of the queries, [B V, M, D / 2].
        `context` speaks of the keys.
        """
        q = rotate(split_heads(self.q_norm(self.q_proj(x)), self.heads), rotation)
        views = len(x) // len(k)
        q = rearrange(q, "(b v) h m d -> b h (v m) d", v=views)
        out = self.mechanism(q, k, v, context)
        return self.out_proj(rearrange(out, "b h (v m) d -> (b v) m (h d)", v=views))  # type: ignore[no-any-return]
