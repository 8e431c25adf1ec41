"""Clipping and weight decay as published."""

from pathlib import Path

import pytest
import torch
from torch import nn

from rfcli.training.loop import CLIP, WEIGHT_DECAY, Run, make_optimizer
from tests.training.scenes import fresh_model, options, training_data


def test_matrices_decay_and_nothing_else_does() -> None:
    model = fresh_model()
    groups = make_optimizer(model, 1e-3).param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    kept = {id(p) for group in groups if not group["weight_decay"] for p in group["params"]}
    assert {group["weight_decay"] for group in groups} == {WEIGHT_DECAY, 0.0}
    assert decayed | kept == {id(p) for p in model.parameters()}
    assert not decayed & kept
    weights = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    expected = {id(module.weight) for module in model.modules() if isinstance(module, weights)}
    assert decayed == expected


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_gradients_longer_than_the_limit_are_shortened_to_it(tmp_path: Path, scale: float) -> None:
    model = fresh_model()
    for parameter in model.parameters():
        parameter.register_hook(lambda gradient: gradient * scale)
    norm = Run(model, None, training_data(), options(tmp_path)).step(0)["gradient_norm"]
    left = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm().item()
    assert (norm > CLIP) == (scale > 1)
    assert left == pytest.approx(min(norm, CLIP), rel=1e-4)
