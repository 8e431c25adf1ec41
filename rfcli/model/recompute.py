"""Memory for time: activations that backward needs are computed again instead of kept."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def run_layer(layer: nn.Module, recompute: bool, *inputs: Any) -> Tensor:
    """`layer(*inputs)`. recompute: of all that it computes inside only the inputs are kept, and backward runs it a
    second time; outputs, gradients and the random numbers of dropout are the same.

    Chen et al., Training Deep Nets with Sublinear Memory Cost, arXiv 1604.06174.
    """
    if not (recompute and torch.is_grad_enabled()):
        return layer(*inputs)  # type: ignore[no-any-return]
    out: Tensor = checkpoint(layer, *inputs, use_reentrant=False)
    return out
