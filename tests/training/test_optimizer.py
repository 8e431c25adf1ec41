"""Every parameter is moved by exactly one optimiser, decay and clipping are as published, and the states come back."""

from pathlib import Path

import pytest
import torch
from torch import nn

from rfcli.training.optimizer import WEIGHT_DECAY, Optimizers, make_optimizer
from rfcli.training.run import CLIP, Run
from tests.support.training_scenes import fresh_model, options, training_data


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_each_parameter_has_one_optimizer(name: str) -> None:
    model = fresh_model()
    optimizer = make_optimizer(model, name, 1e-3)
    owned = [id(p) for part in optimizer.parts.values() for group in part.param_groups for p in group["params"]]
    assert sorted(owned) == sorted(id(p) for p in model.parameters())
    assert set(optimizer.parts) == ({"adamw", "muon"} if name == "muon" else {"adamw"})


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_matrices_decay_and_nothing_else_does(name: str) -> None:
    model = fresh_model()
    groups = [group for part in make_optimizer(model, name, 1e-3).parts.values() for group in part.param_groups]
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert {group["weight_decay"] for group in groups} == {WEIGHT_DECAY, 0.0}
    weights = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    assert decayed == {id(module.weight) for module in model.modules() if isinstance(module, weights)}


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_gradients_longer_than_the_limit_are_shortened_to_it(tmp_path: Path, scale: float) -> None:
    model = fresh_model()
    for parameter in model.parameters():
        parameter.register_hook(lambda gradient: gradient * scale)
    norm = Run(model, None, training_data(), options(tmp_path, optimizer="adamw")).step(0)["gradient_norm"]
    left = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm().item()
    assert (norm > CLIP) == (scale > 1)
    assert left == pytest.approx(min(norm, CLIP), rel=1e-4)


def test_states_come_back() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = fresh_model(), fresh_model()
    gradients = [[torch.randn(p.shape, generator=generator) for p in first.parameters()] for _ in range(4)]

    def stepped(model: nn.Module, optimizer: Optimizers, values: list[torch.Tensor]) -> None:
        for parameter, gradient in zip(model.parameters(), values, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()

    whole = make_optimizer(first, "muon", 1e-3)
    for values in gradients:
        stepped(first, whole, values)
    begun = make_optimizer(second, "muon", 1e-3)
    for values in gradients[:2]:
        stepped(second, begun, values)
    resumed = make_optimizer(second, "muon", 9.0)
    resumed.load_state_dict(begun.state_dict())
    for values in gradients[2:]:
        stepped(second, resumed, values)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
