"""Every parameter is moved by exactly one optimiser, and the states come back."""

import pytest
import torch

from rfcli.training.optimizer import make_optimizer
from tests.training.scenes import fresh_model


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_each_parameter_has_one_optimizer(name: str) -> None:
    model = fresh_model()
    optimizer = make_optimizer(model, name, 1e-3)
    owned = [id(p) for part in optimizer.parts.values() for group in part.param_groups for p in group["params"]]
    assert sorted(owned) == sorted(id(p) for p in model.parameters())
    assert set(optimizer.parts) == ({"adamw", "muon"} if name == "muon" else {"adamw"})


def test_only_matrices_decay_and_tokens_do_not() -> None:
    model = fresh_model()
    parts = make_optimizer(model, "muon", 1e-3).parts
    decays = {
        id(p): group["weight_decay"] for part in parts.values() for group in part.param_groups for p in group["params"]
    }
    for name, parameter in model.named_parameters():
        assert (decays[id(parameter)] > 0) == (parameter.dim() > 1 and "token" not in name), name


def test_states_come_back() -> None:
    torch.manual_seed(0)
    first, second = fresh_model(), fresh_model()
    gradients = [[torch.randn_like(p) for p in first.parameters()] for _ in range(4)]

    def stepped(model: torch.nn.Module, optimizer: object, values: list[torch.Tensor]) -> None:
        for parameter, gradient in zip(model.parameters(), values, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()  # type: ignore[attr-defined]

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
