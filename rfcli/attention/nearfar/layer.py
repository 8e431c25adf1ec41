"""The layer of near-far attention: exact softmax for scenes of few triangles, blocks and their keys for others.

Time O(N (K + E) D). Queries of registers and emitters attend to all N keys. More than 64 emitters are pooled into 64
clusters (`rfcli.attention.emitter_clusters`) and, as queries, have the keys of a block, like all other triangles.
Memory besides q, k, v and out: 4 bytes per key and block for the plan, and the key table of one head at a time, which
has up to 32 K nodes, or T / 64 for more than 2,000 K triangles. Gradients are exact for the approximated sum: the
triangles of a cluster share one gradient of their value, unlike in softmax.

The design is our own. It is related to Barnes & Hut's trees of masses (Nature 324, 1986) and, for language, to
Multipole Attention (Hooper et al., arXiv 2506.13059).
"""

import torch
from torch import Tensor

from rfcli.attention.context import Context
from rfcli.attention.emitter_clusters import exact_keys
from rfcli.attention.layer import AttentionLayer
from rfcli.attention.mechanism import LayerSpec
from rfcli.attention.nearfar.blocks import AttendInBlocks, attend_in_blocks
from rfcli.attention.nearfar.key_table import channel_groups
from rfcli.attention.nearfar.plan import ScenePlan, plan_scene
from rfcli.attention.sdpa import SoftmaxAttention
from rfcli.errors import InputError

MAX_EXACT_PER_KEY = 2  # scenes of up to 2 K triangles are computed exactly, which is no slower
PUBLISHED_FREQUENCIES = 6  # of RoPE, in the published models


class NearFar(AttentionLayer):
    """Softmax over registers, emitters and K = `keys` triangles or clusters of triangles; no parameters.

    If the number of RoPE frequencies is unknown, it is taken to be the published models' 6, or the largest that fits.

    Args:
        spec: The position of the layer in the model, and its shape.
        keys: Number K of triangles and clusters per query. Scenes of up to 2 K triangles are computed exactly.
    """

    def __init__(self, spec: LayerSpec, keys: int) -> None:
        super().__init__(spec)
        self.keys = keys
        self.softmax = SoftmaxAttention(spec)
        largest = spec.head_dim // (2 * spec.coordinates)
        self.frequencies = min(PUBLISHED_FREQUENCIES, largest) if spec.frequencies is None else spec.frequencies
        if self.frequencies > largest:
            raise ValueError(
                f"{spec.frequencies} RoPE frequencies do not fit into {spec.head_dim} channels; at most {largest} do."
            )

    @torch.no_grad()
    def plan(self, context: Context) -> tuple[ScenePlan | None, ...]:
        """A plan per scene, for all layers and heads; None for scenes that are computed exactly.

        Raises InputError if the context has no features.
        """
        if context.features is None:
            raise InputError(
                "`context` has no features, by which nearfar chooses its keys: pass Context(features=...), a tensor "
                "[B, N, A] of the position of each token (3) and any other features, such as its normal and albedo."
            )
        batch, tokens, _ = context.features.shape
        exact = context.exact_mask(batch, tokens, context.features.device)
        real = torch.ones_like(exact) if context.key_mask is None else context.key_mask
        log_weight = exact.float().zero_() if context.log_weight is None else context.log_weight.float()
        pooled = real & ~exact
        scenes = zip(context.features, pooled, exact_keys(context), log_weight, strict=True)
        limit, registers = MAX_EXACT_PER_KEY * self.keys, context.registers
        return tuple(
            plan_scene(*scene, self.keys, registers) if int(scene[1].sum()) > limit else None for scene in scenes
        )

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """q, k, v [B, H, N, D] -> [B, H, N, D] in the dtype of q; computed in float32 or float64.

        Raises InputError if the context has no plan and there are more than 2 K tokens, or if its plan is of another
        number of scenes.
        """
        plans, limit = context.plan, MAX_EXACT_PER_KEY * self.keys
        if plans is None and q.shape[2] > limit:
            raise InputError(
                f"`context` has no plan, which nearfar needs for more than {limit:,} tokens, and there are "
                f"{q.shape[2]:,}: pass dataclasses.replace(context, plan=layer.plan(context)), made once for all "
                "layers from a context with features [B, N, A]."
            )
        if plans is not None and len(plans) != len(q):
            raise InputError(f"`context` has a plan for {len(plans)} scenes, but q has {len(q)}; make a new plan.")
        if plans is None or all(plan is None for plan in plans):
            return self.softmax(q, k, v, context)  # type: ignore[no-any-return]
        wide = torch.float64 if q.dtype == torch.float64 else torch.float32
        groups = channel_groups(q.shape[-1], self.frequencies, self.spec.coordinates).to(q.device, wide)
        with torch.autocast(q.device.type, enabled=False):
            if q.dtype != wide or torch.is_grad_enabled():
                out = AttendInBlocks.apply(q.to(wide), k.to(wide), v.to(wide), plans, groups).to(q.dtype)
            else:
                if out is None:  # all rows are written below, except those of padding
                    out = torch.empty_like(q) if context.key_mask is None else torch.zeros_like(q)
                attend_in_blocks(q, k.to(wide), v.to(wide), plans, groups, out)
        assert out is not None
        mask, weight = context.key_mask, context.log_weight
        for index, plan in enumerate(plans):
            scene = slice(index, index + 1)
            own = Context(None if mask is None else mask[scene], log_weight=None if weight is None else weight[scene])
            if plan is None:
                out[scene] = self.softmax(q[scene], k[scene], v[scene], own)
            elif len(rows := plan.exact_queries):
                out[scene, :, rows] = self.softmax(q[scene, :, rows], k[scene], v[scene], own)
        return out
