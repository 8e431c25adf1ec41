"""Muon: momentum whose matrices are made orthogonal before they update the weights.

Jordan et al., 2024 (kellerjordan.github.io/posts/muon), with updates of the size that suits the learning rates of AdamW
(Liu et al., arXiv 2502.16982).

The gradient of a matrix often has few large singular values, so a gradient step changes few directions. With equal
singular values, rare directions are learned as fast as common ones. torch.optim has Muon too, but it multiplies in
bfloat16 and one matrix after another, which is unusably slow on processors without that format. This one works in
float32, on batches of matrices of the same shape, and on sharded matrices, which it gathers one batch at a time.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from rfcli.training.sharding import gathered, local_shard, sharded_like

MOMENTUM = 0.95
NEWTON_SCHULZ_STEPS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # of the paper: steep at zero, and within 0.7..1.2 after the iterations
UPDATE_RMS = 0.2  # of an update at learning rate 1; AdamW's are similar
MAX_BATCH_ELEMENTS = 1 << 24  # of the matrices in a batch; larger batches need more memory and are not faster


def orthogonalised(matrices: Tensor) -> Tensor:
    """[B, M, N]: each matrix U S V^T with its singular values S replaced by about 1, by Newton-Schulz iterations.

    Singular values below a thousandth of the Frobenius norm may stay smaller; a matrix of zeros stays zero.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.flatten(1).norm(dim=1).clamp_min(1e-30)[:, None, None]
    a, b, c = QUINTIC
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum of matrices [M, N], with decoupled weight decay as in AdamW.

    A step changes the entries of a matrix by about UPDATE_RMS * lr (root mean square), whatever its shape.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})
        self.finite: Tensor | None = None  # scalar bool: False = change nothing; see `Optimizers.step`

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
                size = rate * UPDATE_RMS * max(shape) ** 0.5
                count = max(1, MAX_BATCH_ELEMENTS // shape.numel())
                for batch in (matrices[start : start + count] for start in range(0, len(matrices), count)):
                    directions = torch.stack([gathered(self._direction(matrix)) for matrix in batch])
                    updates = orthogonalised(directions.float())
                    for matrix, update in zip(batch, updates, strict=True):
                        change = local_shard(sharded_like(update.to(matrix.dtype), matrix))
                        if self.finite is None:
                            local_shard(matrix).mul_(1 - rate * decay).add_(change, alpha=-size)
                        else:
                            weights = local_shard(matrix)
                            moved = (weights * (1 - rate * decay)).add_(change, alpha=-size)
                            weights.copy_(torch.where(self.finite, moved, weights))

    def _direction(self, matrix: nn.Parameter) -> Tensor:
        """The Nesterov update [M, N]; overwrites the gradient, which is not used again."""
        gradient = matrix.grad
        assert gradient is not None
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        momentum = local_shard(state["momentum"])
        if self.finite is not None:
            gradient.copy_(torch.where(self.finite, gradient, state["momentum"]))
        momentum.lerp_(local_shard(gradient), 1 - MOMENTUM)
        local_shard(gradient).lerp_(momentum, MOMENTUM)
        return gradient
