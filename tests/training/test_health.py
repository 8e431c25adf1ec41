"""Health against slow formulas, and every ailment on a model that was given it."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from rfcli.attention import Context
from rfcli.training.health import Health, ailments, entropy, gradient_norms, health, rms, spread
from rfcli.training.loop import fit
from rfcli.training.validation import Validation
from tests.support.model_scenes import SMALL
from tests.support.training_scenes import RESOLUTION, Silent, fresh_model, options, training_data, training_scene

WELL = Health([5.0, 9.0], [4.0, 6.0], [0.8, 0.7], [2.0, 3.0], [1.0, 2.0])
USED = Validation(psnr=20.0, ssim=0.8, psnr_without_attention=15.0)


def test_size_and_spread() -> None:
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


def test_every_layer_is_looked_at_and_left_as_it_was() -> None:
    model, scene = fresh_model().train(), training_scene(0)
    found = health(model, scene, RESOLUTION)
    assert len(found.triangle_rms) == len(found.triangle_spread) == len(found.triangle_entropy) == SMALL.num_layers
    assert len(found.ray_rms) == len(found.ray_spread) == SMALL.view_transformer_n_layers
    assert all(0 < inner <= outer for inner, outer in zip(found.triangle_spread, found.triangle_rms, strict=True))
    assert all(0 < share <= 1 + 1e-5 for share in found.triangle_entropy)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())
    assert ailments(found, USED, 1.0, {}) == []  # a fresh model is well


def test_the_norms_add_up() -> None:
    model = fresh_model()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    norms = gradient_norms(model)
    total = sum(parameter.numel() for parameter in model.parameters())
    rays = sum(parameter.numel() for parameter in model.view_transformer.parameters())
    assert sum(norm**2 for norm in norms.values()) == pytest.approx(4 * total)
    assert norms["gradient_norm_rays"] == pytest.approx(2 * math.sqrt(rays))


@pytest.mark.parametrize(
    ("found", "validation", "progress", "sentence"),
    [
        (WELL, USED, 1.0, None),
        (WELL, dataclasses.replace(USED, psnr_without_attention=19.95), 0.1, None),  # too early to tell
        (WELL, dataclasses.replace(USED, psnr_without_attention=19.95), 0.5, "costs only 0.05 dB: light transport"),
        (dataclasses.replace(WELL, triangle_spread=[4.0, 0.3]), USED, 0.5, "tokens of the triangles are nearly alike"),
        (dataclasses.replace(WELL, ray_spread=[1.0, float("nan")]), USED, 0.5, "tokens of the rays are nearly alike"),
        (dataclasses.replace(WELL, triangle_rms=[5.0, 900.0], triangle_spread=[4.0, 270.0]), USED, 0.5, "size of 900"),
        (dataclasses.replace(WELL, triangle_entropy=[0.995, 0.7]), USED, 0.5, None),  # the other one does listen
        (
            dataclasses.replace(WELL, triangle_entropy=[0.995, 1.0]),
            USED,
            0.5,
            "hears all triangles alike (entropy 0.995",
        ),
        (dataclasses.replace(WELL, triangle_entropy=[0.5, 0.004]), USED, 0.5, "layer 2 hears one triangle alone"),
    ],
)
def test_ailments(found: Health, validation: Validation, progress: float, sentence: str | None) -> None:
    sentences = ailments(found, validation, progress, {"gradient_norm": 0.1, "gradient_norm_triangles": 0.02})
    assert len(sentences) == (sentence is not None)
    assert all(sentence in said for said in sentences if sentence)


@pytest.mark.parametrize(("norm", "warned"), [(0.02, False), (2e-6, True), (0.0, True), (float("nan"), False)])
def test_a_gradient_that_does_not_reach_the_triangles_is_told(norm: float, warned: bool) -> None:
    sentences = ailments(WELL, USED, 0.5, {"gradient_norm": 0.1, "gradient_norm_triangles": norm})
    assert len(sentences) == warned
    assert all("next to no gradient reaches the stage of the triangles" in sentence for sentence in sentences)


class Warned(Silent):
    """A watcher that remembers warnings too."""

    def __init__(self) -> None:
        super().__init__()
        self.sentences: list[str] = []

    def warned(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.mark.parametrize("freeze", ["view", "triangles"])
def test_a_stage_that_is_frozen_misses_no_gradient(tmp_path: Path, freeze: str) -> None:
    watch = Warned()
    fit(fresh_model(), training_data(), options(tmp_path, steps=10, validate_every=10, freeze=freeze), watch)
    assert len(watch.validations) == 1
    assert not any("gradient" in sentence for sentence in watch.sentences)


def test_a_run_logs_its_health_and_warns_of_a_dead_stage(tmp_path: Path) -> None:
    """The attention of this model is silenced for good, as if it had died."""
    watch, model = Warned(), fresh_model()
    for attention in model.transformer.attentions():
        attention.out_proj.weight.data.zero_()
        attention.out_proj.weight.requires_grad_(False)
    fit(model, training_data(), options(tmp_path, steps=10, validate_every=5), watch)
    dead = "silencing the attention between triangles costs only 0.00 dB: light transport is not being learned."
    assert watch.sentences == [f"step 5: {dead}", f"step 10: {dead}"]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    logged = [line["health"] for line in lines if "health" in line]
    assert [len(one["triangle_rms"]) for one in logged] == [SMALL.num_layers] * 2
    (steps,) = (line for line in lines if "loss" in line)
    parts = [value for name, value in steps.items() if name.startswith("gradient_norm_")]
    assert steps["gradient_norm"] == pytest.approx(math.hypot(*parts), rel=1e-4)
