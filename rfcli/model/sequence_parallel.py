"""The view-independent stage spread over several processes, each with its share of the tokens (sequence parallelism).

Norms, projections and feed-forwards go token by token and need nobody else. A linear mechanism sums over the keys of
all: each process sums over its own, and two small reductions in each layer join them (`rfcli.attention.feature_sums`).
"""

from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rfcli.attention import Context, find_mechanism, mechanisms
from rfcli.errors import InputError
from rfcli.model.batch import SceneBatch
from rfcli.model.renderformer import RenderFormer
from rfcli.model.transport import scenes_computed


def mechanisms_over_processes() -> tuple[str, ...]:
    """The names of the attention mechanisms whose keys can be split over processes."""
    return tuple(mechanism.name for mechanism in mechanisms() if mechanism.splits_over_processes)


def share(tokens: int, rank: int, processes: int) -> slice:
    """The tokens of one process, next to each other; shares differ by one token at most."""
    return slice(tokens * rank // processes, tokens * (rank + 1) // processes)


@torch.no_grad()
def view_independent_spread(model: RenderFormer, batch: SceneBatch, group: Any) -> Tensor:
    """[B, R + N, C] in every process, what `model.view_independent(batch)` gives in one.

    All processes of the group call this with the same model and batch.
    Raises InputError where the model's mechanism reads keys one by one.
    """
    if not find_mechanism(model.config.attention).splits_over_processes:
        raise InputError(
            f"{model.config.attention} attention cannot be split over processes; run it in one process, or use "
            f"{' or '.join(mechanisms_over_processes())}."
        )
    batch, _unit = scenes_computed(batch, model.config)
    tokens, rotation, context = model.tokens(batch), model.rotation(batch), model.key_context(batch)
    count, processes = tokens.shape[1], dist.get_world_size(group)
    mine = share(count, dist.get_rank(group), processes)
    tokens = tokens[:, mine].clone()
    if rotation is not None:
        rotation = rotation[0][:, mine], rotation[1][:, mine]
    context = _part(context, mine, group)
    for layer in model.transformer.layers:
        tokens = layer(tokens, rotation, context)
    return _gathered(tokens, count, processes, group)


def _part(context: Context, mine: slice, group: Any) -> Context:
    """What is to be known of one process's tokens."""

    def cut(rows: Tensor | None) -> Tensor | None:
        return None if rows is None else rows[:, mine]

    return replace(
        context,
        registers=max(0, min(context.registers, mine.stop) - mine.start),
        key_mask=cut(context.key_mask),
        emitters=cut(context.emitters),
        log_weight=cut(context.log_weight),
        group=group,
    )


def _gathered(tokens: Tensor, count: int, processes: int, group: Any) -> Tensor:
    """All tokens [B, count, C] from everybody's own; messages are equally long, the last rows of some being empty."""
    shares = [share(count, rank, processes) for rank in range(processes)]
    sizes = [part.stop - part.start for part in shares]
    padded = torch.nn.functional.pad(tokens, (0, 0, 0, max(sizes) - tokens.shape[1])).contiguous()
    received = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(received, padded, group)
    return torch.cat([part[:, :size] for part, size in zip(received, sizes, strict=True)], 1)
