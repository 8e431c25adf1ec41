"""Every block of queries reads its own keys; gradients recompute what was read, chunk by chunk."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rfcli.attention.nearfar.key_table import extend_queries, key_table, key_table_gradient
from rfcli.attention.nearfar.plan import BLOCK, ScenePlan

# Blocks whose keys are gathered at once: on a CPU as many as stay in its cache, elsewhere enough to keep it busy.
CHUNK_CPU, CHUNK_ELSEWHERE = 2, 64


def read_keys(q: Tensor, table: Tensor, groups: Tensor) -> Tensor:
    """Softmax over the keys of each block, of its queries q [n, 128, D]; table [n, L, D + G + 1 + D] -> q's shape."""
    extended = extend_queries(q, groups)
    keys, values = torch.split(table, [extended.shape[-1], q.shape[-1]], -1)
    return torch.bmm(_weights(extended, keys, q.shape[-1]), values)


def read_keys_gradient(gradient: Tensor, q: Tensor, table: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of q and table from that of what `read_keys` returns, computed anew."""
    dim = q.shape[-1]
    extended = extend_queries(q, groups)
    keys, values = torch.split(table, [extended.shape[-1], dim], -1)
    weights = _weights(extended, keys, dim)
    dlogits = torch.bmm(gradient, values.transpose(1, 2))
    dlogits.sub_(torch.linalg.vecdot(dlogits, weights)[..., None]).mul_(weights).mul_(dim**-0.5)
    dextended = torch.bmm(dlogits, keys)
    dtable = torch.cat([torch.bmm(dlogits.transpose(1, 2), extended), torch.bmm(weights.transpose(1, 2), gradient)], -1)
    dq = dextended[..., :dim] + q * (dextended[..., dim:-1] @ groups.T) * dim**-0.5
    return dq, dtable


def _weights(extended: Tensor, keys: Tensor, dim: int) -> Tensor:
    return torch.bmm(extended * dim**-0.5, keys.transpose(1, 2)).softmax(-1)


def read_blocks(
    q: Tensor, k: Tensor, v: Tensor, plans: tuple[ScenePlan | None, ...], groups: Tensor, out: Tensor
) -> Tensor:
    """`read_keys` for the triangles in the trees of all scenes with a plan, put into their rows of `out`.

    q, k, v, out [B, H, T, D]; a plan per scene; groups [D, G]. out may be q: the queries of a block are read before
    what they find is written, and no other block has them.
    """
    table = None
    for scene, head, plan in planned_heads(plans, q.shape[1]):
        table = key_table(k[scene, head], v[scene, head], plan, groups, table if head else None)
        for tokens, rows, real in chunks(plan):
            queries = q[scene, head].index_select(0, tokens).view(-1, BLOCK, q.shape[-1])
            read = read_keys(queries, gather(table, rows), groups)
            out[scene, head].index_copy_(0, tokens[:real], read.flatten(0, 1)[:real])
    return out


class ReadBlocks(torch.autograd.Function):
    """`read_blocks` with gradients. Rows of the result that are in no tree are zero.

    Saved for the backward pass are q, k and v alone. (Checkpointing each chunk would save as little, but the gradient
    of its gathered keys would be a whole table per chunk.)
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, plans: tuple[ScenePlan | None, ...], groups: Tensor
    ) -> Tensor:
        """q, k, v [B, H, T, D]; a plan per scene; groups [D, G]. Returns [B, H, T, D]."""
        ctx.save_for_backward(q, k, v, groups)
        ctx.plans = plans
        return read_blocks(q, k, v, plans, groups, torch.zeros_like(q, memory_format=torch.contiguous_format))

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        q, k, v, groups = ctx.saved_tensors
        dq, dk, dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        table = None
        for scene, head, plan in planned_heads(ctx.plans, q.shape[1]):
            table = key_table(k[scene, head], v[scene, head], plan, groups, table if head else None)
            dtable = torch.zeros_like(table)
            for tokens, rows, real in chunks(plan):
                wanted = gradient[scene, head].index_select(0, tokens)
                wanted[real:] = 0
                queries = q[scene, head].index_select(0, tokens).view(-1, BLOCK, q.shape[-1])
                dqueries, dgathered = read_keys_gradient(wanted.view_as(queries), queries, gather(table, rows), groups)
                dq[scene, head].index_add_(0, tokens, dqueries.flatten(0, 1))
                dtable.index_add_(0, rows.flatten(), dgathered.flatten(0, 1))
            gradients = key_table_gradient(dtable, table, k[scene, head], v[scene, head], plan, groups)
            dk[scene, head], dv[scene, head] = gradients
        return dq, dk, dv, None, None


def planned_heads(plans: tuple[ScenePlan | None, ...], heads: int) -> Iterator[tuple[int, int, ScenePlan]]:
    """Scene, head and plan, where there is one."""
    for scene, plan in enumerate(plans):
        for head in range(heads if plan is not None else 0):
            assert plan is not None
            yield scene, head, plan


def chunks(plan: ScenePlan) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Consecutive blocks: their tokens [n 128], rows of their keys [n, L], and how many of the tokens are real."""
    step = CHUNK_CPU if plan.rows.device.type == "cpu" else CHUNK_ELSEWHERE
    for start in range(0, len(plan.rows), step):
        part = slice(start, start + step)
        tokens = plan.order[start * BLOCK : (start + step) * BLOCK]
        yield tokens, plan.rows[part], min(len(tokens), plan.count - start * BLOCK)


def gather(table: Tensor, rows: Tensor) -> Tensor:
    """[n, L, C] rows [n, L] of a table [R, C]."""
    return table.index_select(0, rows.flatten()).view(*rows.shape, -1)
