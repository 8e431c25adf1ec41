"""Every block of queries reads its own keys; gradients recompute what was read, chunk by chunk."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rfcli.attention.nearfar.common_terms import common_terms, common_terms_gradient
from rfcli.attention.nearfar.key_table import key_table, key_table_gradient
from rfcli.attention.nearfar.plan import BLOCK, ScenePlan

# Blocks whose queries are prepared at once. Their keys are gathered at once only where that keeps the device busy: on a
# CPU block by block, so that what is gathered stays in its cache.
CHUNK_CPU, CHUNK_ELSEWHERE = 8, 16
QUERIES_CPU = 256  # of a block that read at once, for the same reason


def read_keys(q: Tensor, table: Tensor, rows: Tensor, terms: Tensor) -> Tensor:
    """Softmax over the keys of each block, of its queries q [n, 512, D] -> q's shape.

    table [R, D + G + 1 + D] of the nodes; rows [n, L] those that each block reads; terms [n, G + 1] of `common_terms`.
    """
    dim = q.shape[-1]
    widths, scale = [dim, terms.shape[-1], dim], dim**-0.5
    if q.device.type != "cpu":
        keys, middle, values = torch.split(gather(table, rows), widths, -1)
        common = torch.bmm(middle, terms[..., None]).mT
        return torch.bmm(torch.baddbmm(common, q, keys.mT, alpha=scale).softmax(-1), values)
    # Into memory that is used again and again: fresh memory costs its first touch, a tenth of the whole.
    out = torch.empty_like(q)
    gathered = table.new_empty(rows.shape[1], table.shape[1])
    keys, middle, values = torch.split(gathered, widths, -1)
    weights = table.new_empty(QUERIES_CPU, len(keys))
    for block, own, term, found in zip(q, rows, terms, out, strict=True):
        torch.index_select(table, 0, own, out=gathered)
        common = middle @ term
        for queries, answers in zip(block.split(QUERIES_CPU), found.split(QUERIES_CPU), strict=True):
            torch.softmax(torch.addmm(common, queries, keys.T, alpha=scale, out=weights), -1, out=weights)
            torch.mm(weights, values, out=answers)
    return out


def read_keys_gradient(gradient: Tensor, q: Tensor, gathered: Tensor, terms: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, of the rows of the table that its blocks read, `gathered`, and of the terms, from that of what
    `read_keys` returns, computed anew. Shapes as there, or of one block without n.
    """
    dim = q.shape[-1]
    scale = dim**-0.5
    keys, middle, values = torch.split(gathered, [dim, terms.shape[-1], dim], -1)
    common = middle @ terms[..., None]
    weights = (q @ keys.mT).mul_(scale).add_(common.mT).softmax(-1)
    dlogits = gradient @ values.mT
    dlogits.sub_(torch.linalg.vecdot(dlogits, weights)[..., None]).mul_(weights)
    dcommon = dlogits.sum(-2)[..., None]
    dgathered = torch.cat([dlogits.mT @ q * scale, dcommon * terms[..., None, :], weights.mT @ gradient], -1)
    return dlogits @ keys * scale, dgathered, (middle.mT @ dcommon)[..., 0]


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
            queries, number = block_queries(q[scene, head], tokens, real)
            read = read_keys(queries, table, rows, common_terms(queries, number, groups))
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
                wanted, _ = block_queries(gradient[scene, head], tokens, real)
                queries, number = block_queries(q[scene, head], tokens, real)
                terms = common_terms(queries, number, groups)
                dqueries, dterms = _blocks_gradient(wanted, queries, table, rows, terms, dtable)
                dqueries += common_terms_gradient(dterms, queries, number, groups)
                dq[scene, head].index_copy_(0, tokens[:real], dqueries.flatten(0, 1)[:real])
            gradients = key_table_gradient(dtable, table, k[scene, head], v[scene, head], plan, groups)
            dk[scene, head], dv[scene, head] = gradients
        return dq, dk, dv, None, None


def _blocks_gradient(
    gradient: Tensor, q: Tensor, table: Tensor, rows: Tensor, terms: Tensor, dtable: Tensor
) -> tuple[Tensor, Tensor]:
    """Those of q and of the terms, from that of what `read_keys` returns; that of the table is added to `dtable`."""
    if q.device.type != "cpu":
        dq, dgathered, dterms = read_keys_gradient(gradient, q, gather(table, rows), terms)
        dtable.index_add_(0, rows.flatten(), dgathered.flatten(0, 1))
        return dq, dterms
    dq, dterms = torch.empty_like(q), torch.empty_like(terms)
    for block, own in enumerate(rows):
        gathered = table.index_select(0, own)
        dq[block], dgathered, dterms[block] = read_keys_gradient(gradient[block], q[block], gathered, terms[block])
        dtable.index_add_(0, own, dgathered)
    return dq, dterms


def planned_heads(plans: tuple[ScenePlan | None, ...], heads: int) -> Iterator[tuple[int, int, ScenePlan]]:
    """Scene, head and plan, where there is one."""
    for scene, plan in enumerate(plans):
        for head in range(heads if plan is not None else 0):
            assert plan is not None
            yield scene, head, plan


def chunks(plan: ScenePlan) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Consecutive blocks: their tokens [n 512], rows of their keys [n, L], and how many of the tokens are real."""
    step = CHUNK_CPU if plan.rows.device.type == "cpu" else CHUNK_ELSEWHERE
    for start in range(0, len(plan.rows), step):
        part = slice(start, start + step)
        tokens = plan.order[start * BLOCK : (start + step) * BLOCK]
        yield tokens, plan.rows[part], min(len(tokens), plan.count - start * BLOCK)


def block_queries(q: Tensor, tokens: Tensor, real: int) -> tuple[Tensor, Tensor]:
    """Q [T, D] of the tokens [n 512] of n blocks -> [n, 512, D], zero behind the first `real`, and [n, 1] how many of
    each block are real.
    """
    queries = q.index_select(0, tokens)
    queries[real:] = 0
    number = queries.new_full((len(tokens) // BLOCK, 1), BLOCK)
    number[-1] -= len(tokens) - real
    return queries.view(-1, BLOCK, q.shape[-1]), number


def gather(table: Tensor, rows: Tensor) -> Tensor:
    """[n, L, C] rows [n, L] of a table [R, C]."""
    return table.index_select(0, rows.flatten()).view(*rows.shape, -1)
