"""Softmax of every block of queries over its own keys; the backward pass recomputes it, chunk by chunk.

The logit of a query q and a key with the row [k, var, log w, v] in the key table (`key_table.py`) is

    q . k / sqrt(D) + q^2 . var / (2 D) + log w.

Here q^2 is replaced by its mean over the block, so that the last two terms are one bias per block and key: the product
of the block's bias coefficients with [var, log w]. Neighbouring queries have similar squares. With q^2 of each query
instead, the PSNR between images of near-far and softmax attention (38 and 54 dB in two measurements with the bundled
model) is only 0.2 dB higher.
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
QUERIES_CPU = 256  # queries of a block that are computed together on a CPU, so that their logits stay in the cache


def bias_coefficients(q: Tensor, real_queries: Tensor, groups: Tensor) -> Tensor:
    """[n, G + 1] factors of var and log w in the logits of n blocks, whose queries are q [n, 512, D].

    real_queries [n, 1]: the number of real queries of each block; the others are zero. groups [D, G]: 1 where a channel
    belongs to a group.
    """
    squares = q.square().sum(1) / real_queries
    return torch.nn.functional.pad(squares @ groups / (2 * q.shape[-1]), (0, 1), value=1.0)


def bias_coefficients_gradient(gradient: Tensor, q: Tensor, real_queries: Tensor, groups: Tensor) -> Tensor:
    """The gradient [n, 512, D] of q from the gradient of `bias_coefficients` [n, G + 1]."""
    return q * (gradient[:, :-1] @ groups.T / (q.shape[-1] * real_queries))[:, None]


def attend_to_rows(q: Tensor, table: Tensor, key_rows: Tensor, coefficients: Tensor) -> Tensor:
    """Softmax over the keys of each block, for its queries q [n, 512, D] -> [n, 512, D].

    table [M + E + 1, C], see `key_table`; key_rows [n, L]: its rows that are the keys of each block; coefficients
    [n, G + 1], see `bias_coefficients`.
    """
    dim = q.shape[-1]
    widths, scale = [dim, coefficients.shape[-1], dim], dim**-0.5
    if q.device.type != "cpu":
        keys, statistics, values = torch.split(gather(table, key_rows), widths, -1)
        bias = torch.bmm(statistics, coefficients[..., None]).mT
        return torch.bmm(torch.baddbmm(bias, q, keys.mT, alpha=scale).softmax(-1), values)
    # Allocated once for all blocks: new memory per block would add a tenth to the time.
    out = torch.empty_like(q)
    gathered = table.new_empty(key_rows.shape[1], table.shape[1])
    keys, statistics, values = torch.split(gathered, widths, -1)
    weights = table.new_empty(QUERIES_CPU, len(keys))
    for block, block_rows, block_coefficients, block_out in zip(q, key_rows, coefficients, out, strict=True):
        torch.index_select(table, 0, block_rows, out=gathered)
        bias = statistics @ block_coefficients
        for queries, result in zip(block.split(QUERIES_CPU), block_out.split(QUERIES_CPU), strict=True):
            torch.softmax(torch.addmm(bias, queries, keys.T, alpha=scale, out=weights), -1, out=weights)
            torch.mm(weights, values, out=result)
    return out


def attend_to_rows_gradient(
    gradient: Tensor, q: Tensor, gathered: Tensor, coefficients: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, of the gathered rows [n, L, C] and of the coefficients, from the gradient of `attend_to_rows`.

    The softmax is recomputed. Shapes as in `attend_to_rows`, with n or, for a single block, without it.
    """
    dim = q.shape[-1]
    scale = dim**-0.5
    keys, statistics, values = torch.split(gathered, [dim, coefficients.shape[-1], dim], -1)
    bias = statistics @ coefficients[..., None]
    weights = (q @ keys.mT).mul_(scale).add_(bias.mT).softmax(-1)
    dlogits = gradient @ values.mT
    dlogits.sub_(torch.linalg.vecdot(dlogits, weights)[..., None]).mul_(weights)
    dbias = dlogits.sum(-2)[..., None]
    dgathered = torch.cat([dlogits.mT @ q * scale, dbias * coefficients[..., None, :], weights.mT @ gradient], -1)
    return dlogits @ keys * scale, dgathered, (statistics.mT @ dbias)[..., 0]


def attend_in_blocks(
    q: Tensor, k: Tensor, v: Tensor, plans: tuple[ScenePlan | None, ...], groups: Tensor, out: Tensor
) -> Tensor:
    """Attention of the queries in the blocks of scenes with a plan, written into their rows of `out`.

    q, k, v, out [B, H, N, D]; a plan per scene; groups [D, G]. out may be q: the queries of a chunk of blocks are
    copied before its result is written, and no other chunk contains them.
    """
    table = None
    for scene, head, plan in planned_heads(plans, q.shape[1]):
        table = key_table(k[scene, head], v[scene, head], plan, groups, table if head else None)
        for tokens, key_rows, real in chunks(plan):
            queries, real_queries = block_queries(q[scene, head], tokens, real)
            result = attend_to_rows(queries, table, key_rows, bias_coefficients(queries, real_queries, groups))
            out[scene, head].index_copy_(0, tokens[:real], result.flatten(0, 1)[:real])
    return out


class AttendInBlocks(torch.autograd.Function):
    """`attend_in_blocks` with gradients. Rows of tokens that are in no block are zero.

    Only q, k and v are stored for the backward pass. Torch's checkpointing of each chunk would need as little memory
    for activations, but for each chunk it would allocate a gradient of the size of the whole table.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, plans: tuple[ScenePlan | None, ...], groups: Tensor
    ) -> Tensor:
        """q, k, v [B, H, N, D]; a plan per scene; groups [D, G]. Returns [B, H, N, D]."""
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
            for tokens, key_rows, real in chunks(plan):
                dresult, _ = block_queries(gradient[scene, head], tokens, real)
                queries, real_queries = block_queries(q[scene, head], tokens, real)
                coefficients = bias_coefficients(queries, real_queries, groups)
                dqueries, dcoefficients = _blocks_gradient(dresult, queries, table, key_rows, coefficients, dtable)
                dqueries += bias_coefficients_gradient(dcoefficients, queries, real_queries, groups)
                dq[scene, head].index_copy_(0, tokens[:real], dqueries.flatten(0, 1)[:real])
            gradients = key_table_gradient(dtable, table, k[scene, head], v[scene, head], plan, groups)
            dk[scene, head], dv[scene, head] = gradients
        return dq, dk, dv, None, None


def _blocks_gradient(
    gradient: Tensor, q: Tensor, table: Tensor, key_rows: Tensor, coefficients: Tensor, dtable: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of q and coefficients from that of `attend_to_rows`; the table's gradient is added to `dtable`."""
    if q.device.type != "cpu":
        dq, dgathered, dcoefficients = attend_to_rows_gradient(gradient, q, gather(table, key_rows), coefficients)
        dtable.index_add_(0, key_rows.flatten(), dgathered.flatten(0, 1))
        return dq, dcoefficients
    dq, dcoefficients = torch.empty_like(q), torch.empty_like(coefficients)
    for block, block_rows in enumerate(key_rows):
        gathered = table.index_select(0, block_rows)
        gradients = attend_to_rows_gradient(gradient[block], q[block], gathered, coefficients[block])
        dq[block], dgathered, dcoefficients[block] = gradients
        dtable.index_add_(0, block_rows, dgathered)
    return dq, dcoefficients


def planned_heads(plans: tuple[ScenePlan | None, ...], heads: int) -> Iterator[tuple[int, int, ScenePlan]]:
    """Scene, head and plan, for every head of every scene that has a plan."""
    for scene, plan in enumerate(plans):
        for head in range(heads if plan is not None else 0):
            assert plan is not None
            yield scene, head, plan


def chunks(plan: ScenePlan) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Chunks of blocks: their tokens [n 512], the rows of their keys [n, L], and the number of tokens that are real."""
    step = CHUNK_CPU if plan.key_rows.device.type == "cpu" else CHUNK_GPU
    for start in range(0, len(plan.key_rows), step):
        part = slice(start, start + step)
        tokens = plan.order[start * BLOCK : (start + step) * BLOCK]
        yield tokens, plan.key_rows[part], min(len(tokens), plan.queries - start * BLOCK)


def block_queries(q: Tensor, tokens: Tensor, real: int) -> tuple[Tensor, Tensor]:
    """The queries [n, 512, D] of n blocks, zero after the first `real`, and the number [n, 1] of real ones per block.

    q [N, D]; tokens [n 512].
    """
    queries = q.index_select(0, tokens)
    queries[real:] = 0
    real_queries = queries.new_full((len(tokens) // BLOCK, 1), BLOCK)
    real_queries[-1] -= len(tokens) - real
    return queries.view(-1, BLOCK, q.shape[-1]), real_queries


def gather(table: Tensor, key_rows: Tensor) -> Tensor:
    """The rows key_rows [n, L] of a table [M + E + 1, C], as [n, L, C]."""
    return table.index_select(0, key_rows.flatten()).view(*key_rows.shape, -1)
