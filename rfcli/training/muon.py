"""Muon: momentum whose matrices are made orthogonal before they move the weights (Jordan et al., 2024,
kellerjordan.github.io/posts/muon), at a size that suits AdamW's rates (Liu et al., arXiv 2502.16982).

A gradient step of few large singular values teaches few directions; with all of them equal, rare directions learn as
fast as common ones. torch.optim has Muon too, but multiplies in bfloat16 and one matrix after another: on processors
without that format it is unusably slow. This one works in float32, on many matrices of a shape in one batch, and on
matrices in shares, which it gathers so many at a time.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from rfcli.training.sharding import own, shared_out, whole

MOMENTUM = 0.95
STEPS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # of the paper: steep at zero, and within 0.7..1.2 afterwards
RMS = 0.2  # of AdamW's usual updates
AT_ONCE = 1 << 24  # numbers of the matrices in a batch: more would be memory for no speed


def orthogonalised(matrices: Tensor) -> Tensor:
    """[B, M, N]: each matrix U S V^T with its singular values S moved to about 1, by Newton-Schulz iterations.

    Values below a thousandth of the Frobenius norm may stay smaller; a matrix of zeros stays zero.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.flatten(1).norm(dim=1).clamp_min(1e-30)[:, None, None]
    a, b, c = QUINTIC
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, of matrices [M, N]; weight decay apart from it, as AdamW's.

    A step changes the entries of a matrix by about RMS * lr in the quadratic mean, whatever its shape.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            by_shape: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    by_shape[matrix.shape].append(matrix)
            for shape, matrices in by_shape.items():
                size, count = rate * RMS * max(shape) ** 0.5, max(1, AT_ONCE // shape.numel())
                for some in (matrices[start : start + count] for start in range(0, len(matrices), count)):
                    directions = torch.stack([whole(self._direction(matrix)) for matrix in some])
                    updates = orthogonalised(directions.float())
                    for matrix, update in zip(some, updates, strict=True):
                        change = own(shared_out(update.to(matrix.dtype), matrix))
                        own(matrix).mul_(1 - rate * decay).add_(change, alpha=-size)

    def _direction(self, matrix: nn.Parameter) -> Tensor:
        """Where momentum and gradient lead, written over the gradient, which nobody reads afterwards."""
        gradient = matrix.grad
        assert gradient is not None
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        momentum = own(state["momentum"]).lerp_(own(gradient), 1 - MOMENTUM)
        own(gradient).lerp_(momentum, MOMENTUM)
        return gradient
