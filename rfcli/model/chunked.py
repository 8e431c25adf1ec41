"""Token-wise functions applied to long sequences in chunks, so that intermediate tensors stay small."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Tokens per chunk: on a CPU few enough for intermediate tensors to stay in its cache, elsewhere enough to fill the GPU.
CHUNK_CPU, CHUNK_GPU = 1024, 16384


def chunked(fn: Callable[[slice], Sequence[Tensor]], x: Tensor) -> list[Tensor]:
    """The results of a token-wise function for all tokens of a sequence.

    With gradients enabled there is a single chunk, since backward needs the intermediate tensors anyway.

    Args:
        fn: Maps a slice of n tokens to tensors [..., n, C']; each token's result must not depend on other tokens.
        x: [..., N, C], a tensor with the sequence's number of tokens and device.

    Returns:
        The tensors [..., N, C'].
    """
    count = x.shape[-2]
    step = CHUNK_CPU if x.device.type == "cpu" else CHUNK_GPU
    if torch.is_grad_enabled() or count <= step:
        return list(fn(slice(0, count)))
    outputs: list[Tensor] = []
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        results = fn(part)
        if not outputs:
            outputs = [result.new_empty(*result.shape[:-2], count, result.shape[-1]) for result in results]
        for result, output in zip(results, outputs, strict=True):
            output[..., part, :] = result
    return outputs
