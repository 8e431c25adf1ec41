"""Softmax of every block of queries over its own keys; the backward pass recomputes it, chunk by chunk.

The exponent of a query q and a row of the key table (`key_table.py`),

    q . k / sqrt(D) + q^2 . S / (2 D) + log W,

takes q^2 as its mean over the block, so that all but the first term is one number per block and key. Neighbouring
queries have similar squares: with q^2 of each query, images of the bundled model come closer to those of softmax by
only 0.2 dB, of 38 and 54 dB.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rfcli.attention.nearfar.key_table import key_table, key_table_gradient
from rfcli.attention.nearfar.plan import BLOCK, ScenePlan

# Blocks whose queries are prepared together. On a GPU their keys are gathered together too; on a CPU block by block, so
# that the gathered keys stay in the cache.
CHUNK_CPU, CHUNK_GPU = 8, 16
QUERIES_CPU = 256  # queries of a block that are computed together on a CPU, for the same reason


def block_terms(q: Tensor, number: Tensor, groups: Tensor) -> Tensor:
    """[n, G + 1] coefficients of S and log W in the exponents of n blocks of b queries q [n, b, D].

    number [n, 1]: real queries of each block; the others are zero. groups [D, G]: 1 where a channel is in a group.
    """
    squares = q.square().sum(1) / number
    return torch.nn.functional.pad(squares @ groups / (2 * q.shape[-1]), (0, 1), value=1.0)


def block_terms_gradient(gradient: Tensor, q: Tensor, number: Tensor, groups: Tensor) -> Tensor:
    """The gradient [n, b, D] of q from that of `block_terms` [n, G + 1]."""
    return q * (gradient[:, :-1] @ groups.T / (q.shape[-1] * number))[:, None]


def attend_to_rows(q: Tensor, table: Tensor, rows: Tensor, terms: Tensor) -> Tensor:
    """Softmax over the keys of each block, for its queries q [n, 512, D] -> [n, 512, D].

    table [R, D + G + 1 + D]; rows [n, L] of the table that are the keys of each block; terms [n, G + 1] of the blocks.
    """
    dim = q.shape[-1]
    widths, scale = [dim, terms.shape[-1], dim], dim**-0.5
    if q.device.type != "cpu":
        keys, factors, values = torch.split(gather(table, rows), widths, -1)
        bias = torch.bmm(factors, terms[..., None]).mT
        return torch.bmm(torch.baddbmm(bias, q, keys.mT, alpha=scale).softmax(-1), values)
    # All blocks share their memory: the first access to new memory would take a tenth of the time.
    out = torch.empty_like(q)
    gathered = table.new_empty(rows.shape[1], table.shape[1])
    keys, factors, values = torch.split(gathered, widths, -1)
    weights = table.new_empty(QUERIES_CPU, len(keys))
    for block, block_rows, term, block_out in zip(q, rows, terms, out, strict=True):
        torch.index_select(table, 0, block_rows, out=gathered)
        bias = factors @ term
        for queries, result in zip(block.split(QUERIES_CPU), block_out.split(QUERIES_CPU), strict=True):
            torch.softmax(torch.addmm(bias, queries, keys.T, alpha=scale, out=weights), -1, out=weights)
            torch.mm(weights, values, out=result)
    return out


def attend_to_rows_gradient(
    gradient: Tensor, q: Tensor, gathered: Tensor, terms: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, of the gathered rows [n, L, C] of the table, and of terms, from that of `attend_to_rows`.

    The softmax is computed again. Shapes as there, or of a single block without n.
    """
    dim = q.shape[-1]
    scale = dim**-0.5
    keys, factors, values = torch.split(gathered, [dim, terms.shape[-1], dim], -1)
    bias = factors @ terms[..., None]
    weights = (q @ keys.mT).mul_(scale).add_(bias.mT).softmax(-1)
    dlogits = gradient @ values.mT
    dlogits.sub_(torch.linalg.vecdot(dlogits, weights)[..., None]).mul_(weights)
    dbias = dlogits.sum(-2)[..., None]
    dgathered = torch.cat([dlogits.mT @ q * scale, dbias * terms[..., None, :], weights.mT @ gradient], -1)
    return dlogits @ keys * scale, dgathered, (factors.mT @ dbias)[..., 0]


def attend_in_blocks(
    q: Tensor, k: Tensor, v: Tensor, plans: tuple[ScenePlan | None, ...], groups: Tensor, out: Tensor
) -> Tensor:
    """Attention of the triangles in the trees of all scenes with a plan, written into their rows of `out`.

    q, k, v, out [B, H, T, D]; a plan per scene; groups [D, G]. out may be q: the queries of a chunk of blocks are
    copied before its result is written, and no other chunk contains them.
    """
    table = None
    for scene, head, plan in planned_heads(plans, q.shape[1]):
        table = key_table(k[scene, head], v[scene, head], plan, groups, table if head else None)
        for tokens, rows, real in chunks(plan):
            queries, number = block_queries(q[scene, head], tokens, real)
            result = attend_to_rows(queries, table, rows, block_terms(queries, number, groups))
            out[scene, head].index_copy_(0, tokens[:real], result.flatten(0, 1)[:real])
    return out


class AttendInBlocks(torch.autograd.Function):
    """`attend_in_blocks` with gradients. Rows of tokens that are in no tree are zero.

    Only q, k and v are saved for the backward pass. (Checkpointing each chunk would save as much memory, but the
    gradient of its gathered keys would be a whole table per chunk.)
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, plans: tuple[ScenePlan | None, ...], groups: Tensor
    ) -> Tensor:
        """q, k, v [B, H, T, D]; a plan per scene; groups [D, G]. Returns [B, H, T, D]."""
        ctx.save_for_backward(q, k, v, groups)
        ctx.plans = plans
        return attend_in_blocks(q, k, v, plans, groups, torch.zeros_like(q, memory_format=torch.contiguous_format))

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
                dresult, _ = block_queries(gradient[scene, head], tokens, real)
                queries, number = block_queries(q[scene, head], tokens, real)
                terms = block_terms(queries, number, groups)
                dqueries, dterms = _blocks_gradient(dresult, queries, table, rows, terms, dtable)
                dqueries += block_terms_gradient(dterms, queries, number, groups)
                dq[scene, head].index_copy_(0, tokens[:real], dqueries.flatten(0, 1)[:real])
            gradients = key_table_gradient(dtable, table, k[scene, head], v[scene, head], plan, groups)
            dk[scene, head], dv[scene, head] = gradients
        return dq, dk, dv, None, None


def _blocks_gradient(
    gradient: Tensor, q: Tensor, table: Tensor, rows: Tensor, terms: Tensor, dtable: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of q and of terms from that of `attend_to_rows`; that of the table is added to `dtable`."""
    if q.device.type != "cpu":
        dq, dgathered, dterms = attend_to_rows_gradient(gradient, q, gather(table, rows), terms)
        dtable.index_add_(0, rows.flatten(), dgathered.flatten(0, 1))
        return dq, dterms
    dq, dterms = torch.empty_like(q), torch.empty_like(terms)
    for block, block_rows in enumerate(rows):
        gathered = table.index_select(0, block_rows)
        gradients = attend_to_rows_gradient(gradient[block], q[block], gathered, terms[block])
        dq[block], dgathered, dterms[block] = gradients
        dtable.index_add_(0, block_rows, dgathered)
    return dq, dterms


def planned_heads(plans: tuple[ScenePlan | None, ...], heads: int) -> Iterator[tuple[int, int, ScenePlan]]:
    """Scene, head and plan, for every scene that has a plan."""
    for scene, plan in enumerate(plans):
        for head in range(heads if plan is not None else 0):
            assert plan is not None
            yield scene, head, plan


def chunks(plan: ScenePlan) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Chunks of blocks: their tokens [n 512], rows of their keys [n, L], and how many of the tokens are real."""
    step = CHUNK_CPU if plan.rows.device.type == "cpu" else CHUNK_GPU
    for start in range(0, len(plan.rows), step):
        part = slice(start, start + step)
        tokens = plan.order[start * BLOCK : (start + step) * BLOCK]
        yield tokens, plan.rows[part], min(len(tokens), plan.count - start * BLOCK)


def block_queries(q: Tensor, tokens: Tensor, real: int) -> tuple[Tensor, Tensor]:
    """The queries [n, 512, D] of n blocks, zero after the first `real`, and [n, 1] the real ones of each block.

    q [T, D]; tokens [n 512].
    """
    queries = q.index_select(0, tokens)
    queries[real:] = 0
    number = queries.new_full((len(tokens) // BLOCK, 1), BLOCK)
    number[-1] -= len(tokens) - real
    return queries.view(-1, BLOCK, q.shape[-1]), number


def gather(table: Tensor, rows: Tensor) -> Tensor:
    """[n, L, C] rows [n, L] of a table [R, C]."""
    return table.index_select(0, rows.flatten()).view(*rows.shape, -1)
