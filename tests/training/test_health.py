"""Measurements of a network against slow formulas, and the warning for each failure."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from rfcli.attention import Context
from rfcli.training.health import Health, entropy, gradient_norms, health, health_warnings, rms, spread
from rfcli.training.loop import fit
from rfcli.training.validation import Validation
from tests.support.model_scenes import SMALL
from tests.support.training_scenes import (
    RESOLUTION,
    RecordingCallbacks,
    fresh_model,
    train_options,
    training_data,
    training_scene,
)

HEALTHY = Health([5.0, 9.0], [4.0, 6.0], [0.8, 0.7], [2.0, 3.0], [1.0, 2.0])
GOOD = Validation(psnr=20.0, ssim=0.8, psnr_without_attention=15.0)


def test_rms_and_spread() -> None:
    x = torch.tensor([[[3.0, 0.0], [3.0, 4.0]]])
    assert rms(x) == pytest.approx(math.sqrt((9 + 9 + 16) / 4))
    assert spread(x) == pytest.approx(math.sqrt((4 + 4) / 4))


@pytest.mark.parametrize("masked", [False, True])
def test_entropy(masked: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 2, 5, 8, generator=generator)
    mask = torch.tensor([[True, True, False, True, True]])
    total = 0.0
    for head in range(2):
        for query in range(5):
            keys = [key for key in range(5) if mask[0, key] or not masked]
            logits = [(q[0, head, query] @ k[0, head, key]).item() / math.sqrt(8) for key in keys]
            weights = [math.exp(logit) / sum(map(math.exp, logits)) for logit in logits]
            total -= sum(weight * math.log(weight) for weight in weights)
    found = entropy(q, k, Context(key_mask=mask if masked else None))
    assert found == pytest.approx(total / 10 / math.log(5), rel=1e-4)
    assert entropy(0 * q, k, Context()) == pytest.approx(1.0, rel=1e-5)


def test_every_layer_is_measured_and_the_model_restored() -> None:
    model, scene = fresh_model().train(), training_scene(0)
    found = health(model, scene, RESOLUTION)
    assert len(found.triangle_rms) == len(found.triangle_spread) == len(found.triangle_entropy) == SMALL.num_layers
    assert len(found.ray_rms) == len(found.ray_spread) == SMALL.view_transformer_n_layers
    assert all(0 < inner <= outer for inner, outer in zip(found.triangle_spread, found.triangle_rms, strict=True))
    assert all(0 < share <= 1 + 1e-5 for share in found.triangle_entropy)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())
    assert health_warnings(found, GOOD, 1.0, {}) == []


def test_gradient_norms_by_stage_add_up() -> None:
    model = fresh_model()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    norms = gradient_norms(model)
    total = sum(parameter.numel() for parameter in model.parameters())
    rays = sum(parameter.numel() for parameter in model.view_transformer.parameters())
    assert sum(norm**2 for norm in norms.values()) == pytest.approx(4 * total)
    assert norms["gradient_norm_rays"] == pytest.approx(2 * math.sqrt(rays))


@pytest.mark.parametrize(
    ("found", "validation", "progress", "message"),
    [
        (HEALTHY, GOOD, 1.0, None),
        (HEALTHY, dataclasses.replace(GOOD, psnr_without_attention=19.95), 0.1, None),  # too early to tell
        (HEALTHY, dataclasses.replace(GOOD, psnr_without_attention=19.95), 0.5, "costs only 0.05 dB: light transport"),
        (
            dataclasses.replace(HEALTHY, triangle_spread=[4.0, 0.3]),
            GOOD,
            0.5,
            "tokens of the view-independent stage are nearly identical",
        ),
        (
            dataclasses.replace(HEALTHY, ray_spread=[1.0, float("nan")]),
            GOOD,
            0.5,
            "tokens of the view-dependent stage are nearly identical",
        ),
        (
            dataclasses.replace(HEALTHY, triangle_rms=[5.0, 900.0], triangle_spread=[4.0, 270.0]),
            GOOD,
            0.5,
            "RMS of 900",
        ),
        (dataclasses.replace(HEALTHY, triangle_entropy=[0.995, 0.7]), GOOD, 0.5, None),  # one layer is not uniform
        (
            dataclasses.replace(HEALTHY, triangle_entropy=[0.995, 1.0]),
            GOOD,
            0.5,
            "near-uniform in every layer (entropy 0.995",
        ),
        (
            dataclasses.replace(HEALTHY, triangle_entropy=[0.5, 0.004]),
            GOOD,
            0.5,
            "layer 2 attends to a single triangle (entropy 0.004)",
        ),
    ],
)
def test_warnings(found: Health, validation: Validation, progress: float, message: str | None) -> None:
    warnings = health_warnings(found, validation, progress, {"gradient_norm": 0.1, "gradient_norm_triangles": 0.02})
    assert len(warnings) == (message is not None)
    assert all(message in warning for warning in warnings if message)


@pytest.mark.parametrize(("norm", "warned"), [(0.02, False), (2e-6, True), (0.0, True), (float("nan"), False)])
def test_a_vanishing_gradient_is_a_warning(norm: float, warned: bool) -> None:
    warnings = health_warnings(HEALTHY, GOOD, 0.5, {"gradient_norm": 0.1, "gradient_norm_triangles": norm})
    assert len(warnings) == warned
    assert all("almost no gradient reaches the view-independent stage" in warning for warning in warnings)


@pytest.mark.parametrize("freeze", ["view", "triangles"])
def test_a_frozen_stage_gives_no_warning_of_its_gradient(tmp_path: Path, freeze: str) -> None:
    callbacks = RecordingCallbacks()
    options = train_options(tmp_path, steps=10, validate_every=10, freeze=freeze)
    fit(fresh_model(), training_data(), options, callbacks)
    assert len(callbacks.validations) == 1
    assert not any("gradient" in warning for warning in callbacks.warnings)


def test_a_run_logs_its_health_and_warns_of_unused_attention(tmp_path: Path) -> None:
    """The attention of this model is disabled for good."""
    callbacks, model = RecordingCallbacks(), fresh_model()
    for attention in model.transformer.attentions():
        attention.out_proj.weight.data.zero_()
        attention.out_proj.weight.requires_grad_(False)
    fit(model, training_data(), train_options(tmp_path, steps=10, validate_every=5), callbacks)
    warning = "disabling attention between triangles costs only 0.00 dB: light transport is not being learned."
    assert callbacks.warnings == [f"step 5: {warning}", f"step 10: {warning}"]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    logged = [line["health"] for line in lines if "health" in line]
    assert [len(one["triangle_rms"]) for one in logged] == [SMALL.num_layers] * 2
    (steps,) = (line for line in lines if "loss" in line)
    parts = [value for name, value in steps.items() if name.startswith("gradient_norm_")]
    assert steps["gradient_norm"] == pytest.approx(math.hypot(*parts), rel=1e-4)
