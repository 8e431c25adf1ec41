"""Whole runs: they learn, they resume exactly, and they pass over what must not harm them."""

import json
import signal
from pathlib import Path

import pytest
import torch

from rfcli.errors import InputError
from rfcli.metrics.similarity import log_radiance
from rfcli.model import RenderFormer, convert, read_checkpoint
from rfcli.training.loop import fit
from rfcli.training.run import Run
from rfcli.training.state import STATES, read_state, save_state, states
from rfcli.training.transfer import transfer_loss
from rfcli.training.validation import silenced_attention, validate
from tests.support.training_scenes import RESOLUTION, Silent, fresh_model, options, training_data


def same_weights(a: RenderFormer, b: RenderFormer) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_a_run_learns_and_leaves_everything_behind(tmp_path: Path) -> None:
    model, watch = fresh_model(), Silent()
    told = options(tmp_path, steps=60, warmup=5, rate=3e-3, validate_every=20)
    outcome = fit(model, training_data(), told, watch)
    assert outcome.steps == 60
    assert not outcome.interrupted
    assert sum(watch.losses[-5:]) < 0.6 * sum(watch.losses[:5])
    assert watch.validations[-1].psnr > watch.validations[0].psnr
    names = {"config.json", "model.safetensors", "README.md", "grid.png", "metrics.jsonl", STATES, "best"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert read_checkpoint(tmp_path).config == model.config
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation" in line] == [20, 40, 60]


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_an_interrupted_run_ends_bit_identical(tmp_path: Path, stop: int) -> None:
    whole = fresh_model()
    fit(whole, training_data(), options(tmp_path / "whole"), Silent())

    class StopAt(Silent):
        def stepped(self, step: int, losses: dict[str, float]) -> None:
            if step == stop:
                signal.raise_signal(signal.SIGINT)

    told = options(tmp_path / "parts")
    first = fit(fresh_model(), training_data(), told, StopAt())
    assert first.interrupted
    assert first.steps == stop
    state = read_state(told.out, told)
    assert state is not None
    resumed = fresh_model(seed=9)  # whatever stands there before the state is restored
    outcome = fit(resumed, training_data(), told, Silent(), state=state)
    assert outcome.steps == told.steps
    assert same_weights(whole, resumed)
    histories = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "parts")]
    steps = [[json.loads(line)["step"] for line in history.splitlines()] for history in histories]
    assert steps[0] == steps[1]


def test_a_resumed_run_keeps_its_precision_and_its_hours(tmp_path: Path) -> None:
    told = options(tmp_path)
    run = Run(fresh_model(), None, training_data(), told)
    run.precision, run.seconds = torch.bfloat16, 1800.0
    save_state(told.out, run.state(2), keep=1)
    state = read_state(told.out, told)
    assert state is not None
    resumed = Run(fresh_model(), None, training_data(), told)
    resumed.restore(state)
    assert (resumed.precision, resumed.seconds) == (torch.bfloat16, 1800.0)


def test_other_options_in_the_same_folder_are_named(tmp_path: Path) -> None:
    fit(fresh_model(), training_data(), options(tmp_path), Silent())
    with pytest.raises(InputError, match=r"--rate 0\.001, not 0\.5"):
        read_state(tmp_path, options(tmp_path, rate=0.5))
    states(tmp_path)[-1].write_bytes(b"torn")
    with pytest.raises(InputError, match=r"step-00000006\.pt is not a readable .*; delete it to go on from the one"):
        read_state(tmp_path, options(tmp_path))
    states(tmp_path)[-1].unlink()
    before = read_state(tmp_path, options(tmp_path))
    assert before is not None
    assert before.step == 4


def test_gradients_that_are_not_finite_change_nothing(tmp_path: Path) -> None:
    model = fresh_model()
    run = Run(model, None, training_data(), options(tmp_path))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.reg_tokens.register_hook(lambda gradient: gradient * float("nan"))
    run.step(0)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_short_runs_have_a_schedule(tmp_path: Path, steps: int) -> None:
    outcome = fit(fresh_model(), training_data(2), options(tmp_path, steps=steps, warmup=0), Silent())
    assert outcome.steps == steps


@pytest.mark.parametrize(
    ("attention", "chosen"),
    [
        ("performer", {"features": 64}),
        ("performer", {"features": 64, "feature_map": "favor"}),
        ("hedgehog", {}),
    ],
)
def test_transfer_brings_linear_layers_to_their_teacher_and_trains_nothing_else(
    attention: str, chosen: dict[str, int], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    teacher, data = fresh_model(), training_data()
    for layer in teacher.transformer.attentions():  # a fresh model attends to nothing in particular
        torch.nn.init.normal_(layer.in_proj.weight, std=0.3)
        torch.nn.init.normal_(layer.out_proj.weight, std=0.3)
    student = convert(teacher, attention, **chosen)
    run = Run(student, teacher, data, options(tmp_path, steps=80, transfer=80, warmup=4, rate=2e-3))
    scenes = run.batch(0)[0].scenes
    kept = {name: value.clone() for name, value in student.state_dict().items() if "multihead_attn" not in name}
    before = transfer_loss(student, teacher, scenes).item()
    for step in range(80):
        run.step(step)
    assert transfer_loss(student, teacher, scenes).item() < 0.5 * before
    after = student.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in kept.items())
    assert transfer_loss(teacher, teacher, scenes).item() < 1e-10  # norms round otherwise where gradients are wanted


@pytest.mark.parametrize(
    ("freeze", "frozen", "learning"),
    [
        ("view", {"view_transformer"}, {"transformer", "texture_encoder", "tri_token"}),
        ("triangles", {"transformer", "texture_encoder", "tri_token", "token_positions"}, {"view_transformer"}),
    ],
)
def test_a_frozen_stage_stays_as_it_is(tmp_path: Path, freeze: str, frozen: set[str], learning: set[str]) -> None:
    model, watch = fresh_model(), Silent()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, training_data(), options(tmp_path, freeze=freeze), watch)
    after = model.state_dict()
    changed = {name.partition(".")[0] for name, value in after.items() if not torch.equal(before[name], value)}
    assert learning <= changed
    assert not frozen & changed
    kept = read_checkpoint(tmp_path).state_dict()
    assert all(torch.equal(before[name], kept[name]) for name in kept if name.partition(".")[0] in frozen)


def test_scenes_to_overfit_are_learned_as_they_are_and_validated_on(tmp_path: Path) -> None:
    data = training_data(5).overfitting(2)
    assert [id(scene) for scene in data.train] == [id(scene) for scene in data.validation]
    batch, share = Run(fresh_model(), None, data, options(tmp_path, overfit=2, batch=2)).batch(0)
    first = int(batch.scenes.mask[0].sum() > batch.scenes.mask[1].sum())  # scene 1 has more triangles than scene 0
    expected = log_radiance(torch.from_numpy(data.train[0].images).float())
    assert torch.equal(batch.truth[first], expected)
    assert share == 1
    with pytest.raises(InputError, match=r"--overfit 6 asks for more than the 5 scenes"):
        training_data(5).overfitting(6)


def test_silenced_attention_is_silent_and_comes_back() -> None:
    model, data = fresh_model(), training_data()
    whole = validate(model, data.validation, RESOLUTION)
    with silenced_attention(model):
        silent = validate(model, data.validation, RESOLUTION)
    assert silent.psnr == pytest.approx(whole.psnr_without_attention)
    assert silent.psnr != whole.psnr
    assert validate(model, data.validation, RESOLUTION) == whole
