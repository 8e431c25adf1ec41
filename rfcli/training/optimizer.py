"""How a step changes the weights: the optimisers, the learning-rate schedule, and the moving average of the weights."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rfcli.errors import InputError
from rfcli.model import RenderFormer
from rfcli.training.muon import Muon
from rfcli.training.sharding import local_shard, sharded_like

WEIGHT_DECAY = 0.01
BETAS = (0.9, 0.98)
TOKENS = ("tri_token", "reg_tokens", "ray_map_patch_token")
LAST_RATE = 0.01  # of the highest learning rate, at the end of the run


class Optimizers:
    """Several optimisers that step as one. Each parameter belongs to one of them."""

    def __init__(self, **parts: torch.optim.Optimizer) -> None:
        self.parts = parts

    def set_rate(self, rate: float) -> None:
        for part in self.parts.values():
            for group in part.param_groups:
                group["lr"] = rate

    def zero_grad(self) -> None:
        for part in self.parts.values():
            part.zero_grad(set_to_none=True)

    def step(self, finite: Tensor | None = None) -> None:
        """One step of all parts.

        finite: scalar bool on the device, True if the step is to be taken; if it is False, weights and momenta keep
        their values, without the CPU having to know. None = take it.
        """
        for part in self.parts.values():
            if isinstance(part, Muon):
                part.finite = finite
            else:  # of fused optimisers, which torch's GradScaler uses in the same way
                part.grad_scale = None  # type: ignore[attr-defined]
                part.found_inf = None if finite is None else (~finite).float()  # type: ignore[attr-defined]
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict` with whole tensors, which are sharded where the parameters are."""
        for name, part in self.parts.items():
            parameters = [parameter for group in part.param_groups for parameter in group["params"]]
            sharded = {
                number: {
                    key: sharded_like(value, parameters[number]) if value.shape == parameters[number].shape else value
                    for key, value in values.items()
                }
                for number, values in state[name]["state"].items()
            }
            part.load_state_dict({**state[name], "state": sharded})


def make_optimizer(model: RenderFormer, name: str, rate: float) -> Optimizers:
    """The optimisers of all parameters.

    adamw: AdamW with weight decay for matrices, but not for norms, biases and learned tokens. muon: Muon for the
    matrices of the transformer layers, AdamW for the rest.
    """
    layers = list(_layer_matrices(model)) if name == "muon" else []
    taken = {id(p) for p in layers}
    decaying = [p for n, p in model.named_parameters() if p.dim() > 1 and not n.endswith(TOKENS)]
    matrices = [p for p in decaying if id(p) not in taken]
    taken |= {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in taken]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    parts: dict[str, torch.optim.Optimizer] = {"adamw": torch.optim.AdamW(groups, lr=rate, betas=BETAS, fused=True)}
    if layers:
        parts["muon"] = Muon(layers, rate, WEIGHT_DECAY)
    return Optimizers(**parts)


def _layer_matrices(model: RenderFormer) -> Iterator[nn.Parameter]:
    """Weights [M, N] inside the layers of both stages."""
    for name, parameter in model.named_parameters():
        if ".layers." in name and parameter.dim() == 2:
            yield parameter


def learning_rate(step: int, steps: int, warmup: int, peak: float) -> float:
    """Learning rate of step 0 <= step < steps: linear warm-up to `peak`, then a cosine down to LAST_RATE * peak.

    Raises InputError if the warm-up is not shorter than the run.
    """
    if not 0 <= warmup < steps:
        raise InputError(f"`warmup` {warmup} must be shorter than the run of {steps} steps.")
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / (steps - warmup)
    return peak * (LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * progress)) / 2)


class WeightAverage(AveragedModel):
    """The exponential moving average of the weights of a model, which is validated and saved in their place.

        average <- d average + (1 - d) weights          d = min(decay, (1 + n) / (10 + n)) after n steps

    The bound on d discounts the first weights, which are far from trained ones. Buffers (frequencies, random features)
    are not averaged but copied. (Polyak & Juditsky, SIAM J. Control Optim. 30, 1992.)

    Args:
        model: The model; the average starts as a copy of it, `module`.
        decay: In [0, 1): 0 gives the last weights, 0.999 averages over about the last thousand steps.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model, multi_avg_fn=self._mean)
        self.requires_grad_(False)
        self._decay = decay
        self._finite: Tensor | None = None

    def update(self, model: nn.Module, finite: Tensor | None = None) -> None:
        """Take the weights after a step into the mean. finite: as of `Optimizers.step`."""
        self._finite = finite
        self.update_parameters(model)

    def _mean(self, average: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
        done = int(steps)
        share = 1 - min(self._decay, (1 + done) / (10 + done))
        for mean, weight in zip(average, weights, strict=True):
            ours, new = local_shard(mean), local_shard(weight)
            ours.lerp_(new if self._finite is None else torch.where(self._finite, new, ours), share)
