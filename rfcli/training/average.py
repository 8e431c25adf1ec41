"""The weights that a run is judged by and leaves behind: an exponential moving average of those that it descends with.

    average <- d average + (1 - d) weights          d = min(decay, (1 + n) / (10 + n)) after n steps

so that the first steps, which are far from everything, are soon forgotten. Buffers (frequencies, random features) are
not averaged: the average has those of the moment. (Polyak & Juditsky, SIAM J. Control Optim. 30, 1992.)
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rfcli.training.sharding import own


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """An average that starts as a copy of `model`; `update_parameters(model)` moves it on by one step, `module` is it.

    decay in [0, 1): 0 keeps the last weights, 0.999 averages over the last thousand steps.
    """

    def move(average: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
        done = int(steps)
        for mean, weight in zip(average, weights, strict=True):
            own(mean).lerp_(own(weight), 1 - min(decay, (1 + done) / (10 + done)))

    return AveragedModel(model, multi_avg_fn=move).requires_grad_(False)
