"""Window attention: each token attends to its neighbours along a Hilbert curve, and to a few tokens that all see.

    out_i = sum_j softmax_j(q_i . k_j / sqrt(D) + log w_j) v_j   over |i - j| <= W, sinks j; all j if i is a sink

Sinks are registers, emitters and summaries; i and j count the other tokens along a Hilbert curve through their
positions. This is the attention of RenderFormer-V2 (arXiv 2609.05738), whose sequences are in that order already and
have a summary of every 64 tokens among the sinks.

Time O(N (2 W + 1 + E) D) for E sinks. Queries are computed in blocks of 256, whose keys are the sinks and a slice of
the sequence; neither the N x N mask nor copies of the windows of all blocks are ever in memory.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from rfcli.attention.context import Context
from rfcli.attention.hilbert import hilbert_order
from rfcli.attention.layer import AttentionLayer
from rfcli.attention.mechanism import LayerSpec
from rfcli.attention.sdpa import SoftmaxAttention
from rfcli.errors import InputError

BLOCK = 256  # queries computed together; of the keys in their common slice, W / (W + 128) are in a query's window
POSITION = slice(0, 3)  # of `Context.features`


@dataclass(frozen=True)
class WindowPlan:
    """The tokens of one scene.

    Attributes:
        sinks: [E] tokens that all tokens attend to and that attend to all tokens.
        order: [T] the other real tokens along the curve.
        start: The first of them, if they are consecutive tokens in this order; None = they are not.
    """

    sinks: Tensor
    order: Tensor
    start: int | None


class WindowAttention(AttentionLayer):
    """Softmax within a window and over sinks; no parameters.

    Args:
        spec: The position of the layer in the model, and its shape.
        half_window: Number W of neighbours on either side that a token attends to.
    """

    def __init__(self, spec: LayerSpec, half_window: int) -> None:
        super().__init__(spec)
        self.half_window = half_window
        self.softmax = SoftmaxAttention(spec)

    @torch.no_grad()
    def plan(self, context: Context) -> tuple[WindowPlan, ...]:
        """The sinks and the order of the other tokens, of each scene, for all layers and heads.

        Raises InputError if the context has no features.
        """
        if context.features is None:
            raise InputError(
                "`context` has no features, by which window orders its tokens: pass Context(features=...), a tensor "
                "[B, N, A] that begins with the position of each token (3)."
            )
        batch, tokens, _ = context.features.shape
        sinks = context.exact_mask(batch, tokens, context.features.device)
        real = torch.ones_like(sinks) if context.key_mask is None else context.key_mask
        if context.summaries is not None:
            sinks = sinks | (context.summaries & real)
        return tuple(map(_plan_scene, context.features[..., POSITION], sinks, real & ~sinks))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """q, k, v [B, H, N, D] -> [B, H, N, D].

        Raises InputError for more than W + 1 tokens, which are all neighbours, if the context has no plan.
        """
        if context.plan is None:
            if q.shape[2] > self.half_window + 1:
                raise InputError(
                    f"`context` has no plan, which window needs for {q.shape[2]:,} tokens: pass "
                    "dataclasses.replace(context, plan=layer.plan(context)), made once for all layers from a context "
                    "with features [B, N, A]."
                )
            return self.softmax(q, k, v, context)  # type: ignore[no-any-return]
        bias = context.key_bias()
        scenes = []
        for index, plan in enumerate(context.plan):
            one = slice(index, index + 1)
            own_bias = None if bias is None else bias[index].to(q.dtype)
            scenes.append(self._attend(q[one], k[one], v[one], plan, own_bias, None if out is None else out[one]))
        return context.zero_empty_rows(torch.cat(scenes) if out is None or torch.is_grad_enabled() else out)

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, plan: WindowPlan, bias: Tensor | None, out: Tensor | None
    ) -> Tensor:
        """The rows of one scene, [1, H, N, D]; padded rows are zero, or unchanged in `out`, which may be q."""
        sink_results = F.scaled_dot_product_attention(q[:, :, plan.sinks], k, v, attn_mask=_row(bias))
        sink_keys, sink_values = k[:, :, plan.sinks], v[:, :, plan.sinks]
        sink_bias = None if bias is None else bias[plan.sinks]
        queries, keys, values = (_in_order(x, plan) for x in (q, k, v))
        bias = None if bias is None else bias[plan.order]
        band = _band(self.half_window, q)
        blocks = []
        for start in range(0, len(plan.order), BLOCK):
            stop = min(start + BLOCK, len(plan.order))
            first, last = max(0, start - self.half_window), min(len(plan.order), stop + self.half_window)
            offset = first - (start - self.half_window)
            mask = band[: stop - start, offset : offset + last - first]
            mask = F.pad(mask if bias is None else mask + bias[first:last], (len(plan.sinks), 0))
            if sink_bias is not None:
                mask[:, : len(plan.sinks)] = sink_bias
            block = F.scaled_dot_product_attention(
                queries[:, :, start:stop],
                torch.cat([sink_keys, keys[:, :, first:last]], 2),
                torch.cat([sink_values, values[:, :, first:last]], 2),
                attn_mask=mask,
            )
            if out is None or torch.is_grad_enabled():
                blocks.append(block)
            elif plan.start is not None:
                out[:, :, plan.start + start : plan.start + stop] = block
            else:
                out[:, :, plan.order[start:stop]] = block
        if out is None or torch.is_grad_enabled():
            rows = torch.cat([plan.sinks, plan.order])
            out = torch.zeros_like(q).index_copy(2, rows, torch.cat([sink_results, *blocks], 2))
        else:
            out[:, :, plan.sinks] = sink_results
        return out


def _plan_scene(positions: Tensor, sinks: Tensor, others: Tensor) -> WindowPlan:
    """The plan of one scene: positions [N, 3]; sinks, others [N] bool."""
    tokens = others.nonzero()[:, 0]
    order = tokens[hilbert_order(positions[tokens])]
    consecutive = len(order) > 0 and bool((order.diff() == 1).all())
    return WindowPlan(sinks.nonzero()[:, 0], order, int(order[0]) if consecutive else None)


def _in_order(x: Tensor, plan: WindowPlan) -> Tensor:
    """[1, H, T, D] the tokens of a plan's order, without a copy if they are consecutive."""
    return x[:, :, plan.order] if plan.start is None else x[:, :, plan.start : plan.start + len(plan.order)]


def _row(bias: Tensor | None) -> Tensor | None:
    """[1, N] bias of the keys, for any number of queries."""
    return None if bias is None else bias[None]


def _band(half_window: int, like: Tensor) -> Tensor:
    """[BLOCK, BLOCK + 2 W] logits of a block's queries and its slice of keys: 0 in the window, -inf outside."""
    distance = torch.arange(BLOCK + 2 * half_window) - half_window - torch.arange(BLOCK)[:, None]
    return torch.where(distance.abs() <= half_window, 0.0, float("-inf")).to(like)
