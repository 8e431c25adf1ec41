"""Whole runs: they learn, freeze stages, overfit, and transfer attention."""

import json
from pathlib import Path

import pytest
import torch

from rfcli.metrics.similarity import log_radiance
from rfcli.model import convert, read_checkpoint
from rfcli.training.loop import fit
from rfcli.training.run import Run
from rfcli.training.state import STATES
from rfcli.training.transfer import transfer_loss
from rfcli.training.validation import attention_disabled, validate
from tests.support.training_scenes import RESOLUTION, RecordingCallbacks, fresh_model, train_options, training_data


def test_a_run_learns_and_writes_its_files(tmp_path: Path) -> None:
    model, callbacks = fresh_model(), RecordingCallbacks()
    options = train_options(tmp_path, steps=60, warmup=5, rate=3e-3, validate_every=20)
    outcome = fit(model, training_data(), options, callbacks)
    assert outcome.steps == 60
    assert not outcome.interrupted
    assert sum(callbacks.losses[-5:]) < 0.6 * sum(callbacks.losses[:5])
    assert callbacks.validations[-1].psnr > callbacks.validations[0].psnr
    names = {"config.json", "model.safetensors", "README.md", "metrics.jsonl", STATES, "best"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert read_checkpoint(tmp_path).config == model.config
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation" in line] == [20, 40, 60]


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_short_runs_have_a_schedule(tmp_path: Path, steps: int) -> None:
    outcome = fit(fresh_model(), training_data(2), train_options(tmp_path, steps=steps, warmup=0), RecordingCallbacks())
    assert outcome.steps == steps


@pytest.mark.parametrize(
    ("attention", "mechanism_options"),
    [
        ("performer", {"features": 64}),
        ("performer", {"features": 64, "feature_map": "favor"}),
        ("hedgehog", {}),
    ],
)
def test_transfer_trains_new_attention_layers_only(
    attention: str, mechanism_options: dict[str, object], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    teacher, data = fresh_model(), training_data()
    for layer in teacher.transformer.attentions():  # the attention of a fresh model is almost uniform
        torch.nn.init.normal_(layer.in_proj.weight, std=0.3)
        torch.nn.init.normal_(layer.out_proj.weight, std=0.3)
    student = convert(teacher, attention, **mechanism_options)
    run = Run(student, teacher, data, train_options(tmp_path, steps=80, transfer=80, warmup=4, rate=2e-3))
    scenes = run.batch(0)[0].scenes
    others = {name: value.clone() for name, value in student.state_dict().items() if "multihead_attn" not in name}
    before = transfer_loss(student, teacher, scenes).item()
    for step in range(80):
        run.step(step)
    assert transfer_loss(student, teacher, scenes).item() < 0.5 * before
    after = student.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in others.items())
    assert transfer_loss(teacher, teacher, scenes).item() < 1e-10  # norms round differently with gradients


@pytest.mark.parametrize(
    ("freeze", "frozen", "trained"),
    [
        ("view", {"view_transformer"}, {"transformer", "texture_encoder", "tri_token"}),
        ("triangles", {"transformer", "texture_encoder", "tri_token", "token_positions"}, {"view_transformer"}),
    ],
)
def test_a_frozen_stage_does_not_change(tmp_path: Path, freeze: str, frozen: set[str], trained: set[str]) -> None:
    model, callbacks = fresh_model(), RecordingCallbacks()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, training_data(), train_options(tmp_path, freeze=freeze), callbacks)
    after = model.state_dict()
    changed = {name.partition(".")[0] for name, value in after.items() if not torch.equal(before[name], value)}
    assert trained <= changed
    assert not frozen & changed
    saved = read_checkpoint(tmp_path).state_dict()
    assert all(torch.equal(before[name], saved[name]) for name in saved if name.partition(".")[0] in frozen)


def test_scenes_to_overfit_are_not_augmented_and_validated_on(tmp_path: Path) -> None:
    data = training_data(5).overfitting(2)
    assert [id(scene) for scene in data.train] == [id(scene) for scene in data.validation]
    batch, share = Run(fresh_model(), None, data, train_options(tmp_path, overfit=2, batch=2)).batch(0)
    first = int(batch.scenes.mask[0].sum() > batch.scenes.mask[1].sum())  # scene 1 has more triangles than scene 0
    expected = log_radiance(torch.from_numpy(data.train[0].images).float())
    assert torch.equal(batch.truth[first], expected)
    assert share == 1
    assert len(training_data(5).overfitting(6).train) == 5


def test_attention_is_disabled_and_enabled_again() -> None:
    model, data = fresh_model(), training_data()
    enabled = validate(model, data.validation, RESOLUTION)
    with attention_disabled(model):
        disabled = validate(model, data.validation, RESOLUTION)
    assert disabled.psnr == pytest.approx(enabled.psnr_without_attention)
    assert disabled.psnr != enabled.psnr
    assert validate(model, data.validation, RESOLUTION) == enabled


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_any_seed_trains(tmp_path: Path, seed: int) -> None:
    model = fresh_model(dropout=0.1)
    losses = Run(model, None, training_data(), train_options(tmp_path, seed=seed)).step(0)
    assert losses["loss"] > 0
