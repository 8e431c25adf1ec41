"""The view-independent stage distributed over several processes, each with its share of the tokens.

Norms, projections and feed-forward layers are token-wise and need no communication. A linear mechanism sums over all
keys: each process sums over its own, and two small reductions per layer join the sums
(`rfcli.attention.feature_sums`). This is sequence parallelism.
"""

from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rfcli.attention import Context, find_mechanism, mechanisms
from rfcli.errors import InputError
from rfcli.model.attention_context import key_context
from rfcli.model.batch import SceneBatch
from rfcli.model.renderformer import RenderFormer


def mechanisms_over_processes() -> tuple[str, ...]:
    """The names of the attention mechanisms whose keys can be split over processes."""
    return tuple(mechanism.name for mechanism in mechanisms() if mechanism.splits_over_processes)


@torch.no_grad()
def view_independent_distributed(model: RenderFormer, batch: SceneBatch, group: Any) -> Tensor:
    """`model.view_independent(batch)`, computed by all processes of a group together.

    Args:
        model: The same model in all processes.
        batch: The same B scenes in all processes.
        group: A process group of torch.distributed; None for the default group.

    Returns:
        [S, R + N, C], all tokens in every process.

    Raises:
        InputError: The model's mechanism cannot be split over processes.
    """
    if not find_mechanism(model.config.attention).splits_over_processes:
        raise InputError(
            f"{model.config.attention} attention cannot be split over processes; run it in one process, or use "
            f"{' or '.join(mechanisms_over_processes())}."
        )
    batch = model.symmetries.split(batch).batch
    tokens, rotation, context = model.tokens(batch), model.rotation(batch), key_context(batch, model.config)
    count, processes = tokens.shape[1], dist.get_world_size(group)
    own = token_share(count, dist.get_rank(group), processes)
    tokens = tokens[:, own].clone()
    if rotation is not None:
        rotation = rotation[0][:, own], rotation[1][:, own]
    context = _context_of(own, context, group)
    for layer in model.transformer.layers:
        tokens = layer(tokens, rotation, context)
    return _gather(tokens, count, processes, group)


def token_share(tokens: int, rank: int, processes: int) -> slice:
    """The consecutive tokens of one process; the shares differ by at most one token."""
    return slice(tokens * rank // processes, tokens * (rank + 1) // processes)


def _context_of(own: slice, context: Context, group: Any) -> Context:
    """The context of one process's tokens."""

    def cut(rows: Tensor | None) -> Tensor | None:
        return None if rows is None else rows[:, own]

    return replace(
        context,
        registers=max(0, min(context.registers, own.stop) - own.start),
        key_mask=cut(context.key_mask),
        emitters=cut(context.emitters),
        log_weight=cut(context.log_weight),
        group=group,
    )


def _gather(tokens: Tensor, count: int, processes: int, group: Any) -> Tensor:
    """All tokens [S, count, C] from each process's share; messages are padded to equal length."""
    shares = [token_share(count, rank, processes) for rank in range(processes)]
    sizes = [part.stop - part.start for part in shares]
    padded = torch.nn.functional.pad(tokens, (0, 0, 0, max(sizes) - tokens.shape[1])).contiguous()
    received = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(received, padded, group)
    return torch.cat([part[:, :size] for part, size in zip(received, sizes, strict=True)], 1)
