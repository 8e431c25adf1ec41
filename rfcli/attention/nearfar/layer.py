"""The mechanism: exact softmax for scenes of few triangles, blocks and their keys for the others.

Cost O(N K D) time. Memory beyond q, k, v and out: the plan, 4 bytes per key and 512 queries, and for one head at a
time a table of up to 32 K nodes (N / 64 beyond two thousand triangles a key). Queries that are registers or emitters
read all N keys. Gradients are those of the sum as it is computed: the triangles of a cluster share theirs, where
softmax would tell them apart.

The design is our own; kin are Barnes & Hut's trees of masses (Nature 324, 1986) and, for language, Multipole Attention
(Hooper et al., arXiv 2506.13059).
"""

import torch
from torch import Tensor

from rfcli.attention.context import Context
from rfcli.attention.layer import AttentionLayer
from rfcli.attention.mechanism import LayerSpec
from rfcli.attention.nearfar.blocks import ReadBlocks, read_blocks
from rfcli.attention.nearfar.plan import ScenePlan, plan_scene
from rfcli.attention.nearfar.rope_groups import COORDINATES, rope_groups
from rfcli.attention.sdpa import SoftmaxAttention

EXACT = 2  # a scene of up to so many times as many triangles as keys is read exactly, which takes no longer
MOST_FREQUENCIES = 6  # of the published models


class NearFar(AttentionLayer):
    """Softmax over K keys a query, triangles and clusters of them; no parameters.

    keys: K. A scene of up to twice as many triangles is read exactly.
    If the number of RoPE frequencies is unknown, it is taken to be the published models' 6, or as many as fit.
    """

    def __init__(self, spec: LayerSpec, keys: int) -> None:
        super().__init__(spec)
        self.keys = keys
        self.softmax = SoftmaxAttention(spec)
        fitting = spec.head_dim // (2 * COORDINATES)
        self.frequencies = min(MOST_FREQUENCIES, fitting) if spec.frequencies is None else spec.frequencies
        if self.frequencies > fitting:
            raise ValueError(
                f"{spec.frequencies} RoPE frequencies do not fit into {spec.head_dim} channels; at most {fitting} do."
            )

    @torch.no_grad()
    def plan(self, context: Context) -> tuple[ScenePlan | None, ...]:
        """For `context.plan`: a plan per scene, None where it is read exactly. The same for all layers and heads."""
        assert context.features is not None
        batch, tokens, _ = context.features.shape
        exact = context.exact(batch, tokens, context.features.device)
        real = torch.ones_like(exact) if context.key_mask is None else context.key_mask
        log_weight = exact.float().zero_() if context.log_weight is None else context.log_weight.float()
        pooled = real & ~exact
        scenes = zip(context.features, pooled, exact, log_weight, strict=True)
        most = EXACT * self.keys
        return tuple(plan_scene(*scene, self.keys) if int(scene[1].sum()) > most else None for scene in scenes)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, context: Context, out: Tensor | None = None) -> Tensor:
        """q, k, v [B, H, N, D] -> [B, H, N, D] in q's dtype; inside, float32 or better. What padding reads is moot.

        out: memory that may be used for the result where no gradients are wanted; may be q's.
        Raises ValueError where there are more tokens than are read exactly and the context holds no plan.
        """
        plans, most = context.plan, EXACT * self.keys
        if plans is None and q.shape[2] > most:
            raise ValueError(f"nearfar needs Context(plan=layer.plan(context)) for more than {most} tokens.")
        if plans is None or all(plan is None for plan in plans):
            return self.softmax(q, k, v, context)  # type: ignore[no-any-return]
        wide = torch.float64 if q.dtype == torch.float64 else torch.float32
        groups = rope_groups(q.shape[-1], self.frequencies).to(q.device, wide)
        with torch.autocast(q.device.type, enabled=False):
            if q.dtype != wide or torch.is_grad_enabled():
                out = ReadBlocks.apply(q.to(wide), k.to(wide), v.to(wide), plans, groups).to(q.dtype)
            else:
                if out is None:  # every row of which is written, but those of padding
                    out = torch.empty_like(q) if context.key_mask is None else torch.zeros_like(q)
                read_blocks(q, k.to(wide), v.to(wide), plans, groups, out)
        assert out is not None
        bias = context.key_bias()
        for number, plan in enumerate(plans):
            scene = slice(number, number + 1)
            own = Context(log_weight=None if bias is None else bias[scene])
            if plan is None:
                out[scene] = self.softmax(q[scene], k[scene], v[scene], own)
            elif len(plan.exact):
                out[scene, :, plan.exact] = self.softmax(q[scene, :, plan.exact], k[scene], v[scene], own)
        return out
