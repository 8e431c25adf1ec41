"""Which parameters are moved by which optimiser."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from rfcli.model import RenderFormer
from rfcli.training.muon import Muon
from rfcli.training.sharding import shared_out

WEIGHT_DECAY = 0.01
BETAS = (0.9, 0.98)
TOKENS = ("tri_token", "reg_tokens", "ray_map_patch_token")


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

    def step(self) -> None:
        for part in self.parts.values():
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """state: from `state_dict`, with whole tensors, also where the parameters are sharded."""
        for name, part in self.parts.items():
            parameters = [parameter for group in part.param_groups for parameter in group["params"]]
            shares = {
                number: {
                    key: shared_out(value, parameters[number]) if value.shape == parameters[number].shape else value
                    for key, value in values.items()
                }
                for number, values in state[name]["state"].items()
            }
            part.load_state_dict({**state[name], "state": shares})


def make_optimizer(model: RenderFormer, name: str, rate: float) -> Optimizers:
    """name adamw: AdamW that decays matrices and leaves norms, biases and tokens alone. muon: Muon for the matrices
    of the transformer layers, AdamW for the rest."""
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
