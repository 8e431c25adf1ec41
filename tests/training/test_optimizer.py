"""Optimisers, learning-rate schedule and moving average against their formulas."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import nn

from rfcli.errors import InputError
from rfcli.model import read_checkpoint
from rfcli.training.loop import fit
from rfcli.training.optimizer import WEIGHT_DECAY, Optimizers, WeightAverage, learning_rate, make_optimizer
from rfcli.training.run import MAX_GRADIENT_NORM, Run
from rfcli.training.state import read_state
from rfcli.training.validation import validate
from tests.support.training_scenes import RESOLUTION, RecordingCallbacks, fresh_model, train_options, training_data


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_each_parameter_has_one_optimizer(name: str) -> None:
    model = fresh_model()
    optimizer = make_optimizer(model, name, 1e-3)
    owned = [id(p) for part in optimizer.parts.values() for group in part.param_groups for p in group["params"]]
    assert sorted(owned) == sorted(id(p) for p in model.parameters())
    assert set(optimizer.parts) == ({"adamw", "muon"} if name == "muon" else {"adamw"})


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_only_matrices_decay(name: str) -> None:
    model = fresh_model()
    groups = [group for part in make_optimizer(model, name, 1e-3).parts.values() for group in part.param_groups]
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert {group["weight_decay"] for group in groups} == {WEIGHT_DECAY, 0.0}
    weights = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    assert decayed == {id(module.weight) for module in model.modules() if isinstance(module, weights)}


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_gradients_are_clipped(tmp_path: Path, scale: float) -> None:
    model = fresh_model()
    for parameter in model.parameters():
        parameter.register_hook(lambda gradient: gradient * scale)
    norm = Run(model, None, training_data(), train_options(tmp_path, optimizer="adamw")).step(0)["gradient_norm"]
    clipped = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm().item()
    assert (norm > MAX_GRADIENT_NORM) == (scale > 1)
    assert clipped == pytest.approx(min(norm, MAX_GRADIENT_NORM), rel=1e-4)


def test_state_dict_restores_all_optimizers() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = fresh_model(), fresh_model()
    gradients = [[torch.randn(p.shape, generator=generator) for p in first.parameters()] for _ in range(4)]

    def step(model: nn.Module, optimizer: Optimizers, values: list[torch.Tensor]) -> None:
        for parameter, gradient in zip(model.parameters(), values, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()

    uninterrupted = make_optimizer(first, "muon", 1e-3)
    for values in gradients:
        step(first, uninterrupted, values)
    begun = make_optimizer(second, "muon", 1e-3)
    for values in gradients[:2]:
        step(second, begun, values)
    resumed = make_optimizer(second, "muon", 9.0)
    resumed.load_state_dict(begun.state_dict())
    for values in gradients[2:]:
        step(second, resumed, values)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_learning_rate_follows_its_formula() -> None:
    rates = [learning_rate(step, 110, 10, 1e-3) for step in range(110)]
    assert rates[:10] == pytest.approx([1e-4 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(1e-3)
    assert rates[60] == pytest.approx(1e-3 * (0.01 + 0.99 / 2))
    assert rates[-1] < 1.3e-5
    assert all(earlier > later for earlier, later in itertools.pairwise(rates[10:]))


def test_without_warmup_the_first_rate_is_the_highest() -> None:
    assert learning_rate(0, 5, 0, 1.0) == 1.0


@pytest.mark.parametrize("warmup", [10, 11, -1])
def test_warmup_must_be_shorter_than_the_run(warmup: int) -> None:
    with pytest.raises(InputError, match=f"`warmup` {warmup} must be shorter than the run of 10 steps"):
        learning_rate(0, 10, warmup, 1.0)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_average_follows_its_formula(decay: float) -> None:
    model = torch.nn.Linear(3, 2)
    model.register_buffer("frequencies", torch.zeros(1))
    average = WeightAverage(model, decay)
    generator = torch.Generator().manual_seed(0)
    expected = None
    for step in range(30):
        weight = torch.randn(2, 3, generator=generator)
        model.weight.data.copy_(weight)
        model.frequencies += 1
        average.update(model)
        d = min(decay, (1 + step) / (10 + step))
        expected = weight.double() if expected is None else d * expected + (1 - d) * weight.double()
        assert torch.allclose(average.module.weight.double(), expected, atol=1e-6)
        assert average.module.frequencies.item() == step + 1
    assert not average.module.weight.requires_grad


def test_average_is_validated_and_saved(tmp_path: Path) -> None:
    callbacks, model, data = RecordingCallbacks(), fresh_model(), training_data()
    options = train_options(tmp_path, rate=0.02, ema=0.9)
    fit(model, data, options, callbacks)
    saved, state = read_checkpoint(tmp_path), read_state(tmp_path, options)
    assert state is not None
    for name, value in saved.state_dict().items():
        assert torch.equal(value, state.average[f"module.{name}"])
    assert not torch.equal(saved.tri_token, model.tri_token)
    assert torch.equal(state.weights["tri_token"], model.tri_token)
    assert validate(saved, data.validation, RESOLUTION) == callbacks.validations[-1]


def test_without_averaging_the_last_weights_are_saved(tmp_path: Path) -> None:
    model = fresh_model()
    fit(model, training_data(), train_options(tmp_path, ema=0.0), RecordingCallbacks())
    saved = read_checkpoint(tmp_path).state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in model.state_dict().items())
