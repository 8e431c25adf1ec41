"""Steps whose loss or gradient is not finite: they change nothing, can be repeated, and end a run if they persist."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from rfcli.errors import InputError
from rfcli.metrics.perceptual import StructuralDistance
from rfcli.model import convert
from rfcli.training.loop import fit
from rfcli.training.nonfinite_steps import MAX_IN_A_ROW
from rfcli.training.run import Run
from rfcli.training.scenes import TrainingData
from tests.support.training_process import differences
from tests.support.training_scenes import RecordingCallbacks, fresh_model, repeat_step, train_options, training_data


def data_with_nan(scene: int) -> TrainingData:
    """Training data with a NaN pixel in the images of one scene."""
    data = training_data()
    images = data.train[scene].images.copy()
    images[:, 0, 0] = np.nan
    data.train[scene] = dataclasses.replace(data.train[scene], images=images)
    return data


def test_nonfinite_gradients_change_nothing(tmp_path: Path) -> None:
    model = fresh_model()
    run = Run(model, None, training_data(), train_options(tmp_path))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.reg_tokens.register_hook(lambda gradient: gradient * float("nan"))
    run.step(0)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("transfer", [False, True])
def test_a_nonfinite_step_is_skipped_and_can_be_repeated(tmp_path: Path, transfer: bool) -> None:
    callbacks, softmax = RecordingCallbacks(), fresh_model()
    if transfer:
        torch.nn.init.constant_(softmax.transformer.attentions()[0].out_proj.weight, float("inf"))
    options = train_options(tmp_path, transfer=1 if transfer else 0, batch=5)
    model = convert(softmax, "hedgehog") if transfer else softmax
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = training_data() if transfer else data_with_nan(2)
    fit(model, data, options, callbacks, teacher=softmax if transfer else None)
    files = sorted(tmp_path.glob("bad-step-*.pt"))
    assert [path.name for path in files] == ["bad-step-00000000.pt"]  # the first only
    assert callbacks.warnings[0] == f"step 1 was skipped: its loss or gradient is not finite; see {files[0]}."
    assert sum("was skipped" in message for message in callbacks.warnings) == 1
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    loss, norm = repeat_step(files[0], StructuralDistance())
    assert not np.isfinite(loss)
    assert not np.isfinite(norm)


def test_a_repeated_step_has_the_same_loss(tmp_path: Path) -> None:
    """Only the gradient is not finite here, so that the loss can be compared."""
    model, callbacks = fresh_model(), RecordingCallbacks()
    model.reg_tokens.register_hook(lambda gradient: gradient * float("nan"))
    fit(model, training_data(), train_options(tmp_path, steps=2), callbacks)
    loss, norm = repeat_step(tmp_path / "bad-step-00000000.pt", StructuralDistance())
    assert loss == callbacks.losses[0]
    assert np.isfinite(norm)  # the hook is not in the file


def test_many_nonfinite_steps_in_a_row_end_the_run(tmp_path: Path) -> None:
    model = fresh_model()
    model.reg_tokens.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(
        InputError, match=rf"{MAX_IN_A_ROW + 1} steps in a row had no finite loss and gradient; use a lower `rate`"
    ):
        fit(model, training_data(), train_options(tmp_path, steps=100), RecordingCallbacks())


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_numbers_read_one_step_later_change_nothing(tmp_path: Path, optimizer: str) -> None:
    """As on a GPU: steps 1, 3 and 4 are not finite, and skipped before this process knows."""
    runs, warned = [], []
    for delayed in (False, True):
        model = fresh_model()
        run = Run(model, None, training_data(), train_options(tmp_path / str(delayed), optimizer=optimizer, steps=8))
        run.options.out.mkdir()
        run.delayed = delayed
        bad = []
        model.reg_tokens.register_hook(lambda gradient, bad=bad: gradient * (float("nan") if bad else 1.0))
        losses = []
        for step in range(8):
            bad[:] = [True] * (step in (1, 3, 4))
            losses.append(run.step(step)["loss"])
        run.read_numbers()
        runs.append((run.model.state_dict(), run.average.state_dict(), run.optimizer.state_dict(), losses))
        warned.append((run.nonfinite.in_a_row, run.nonfinite.file.name))
    now, later = runs
    assert later[3][1:] == now[3][:-1]  # the loss of the step before
    for ours, theirs in zip(now[:3], later[:3], strict=True):
        assert not differences(ours, theirs)
    assert warned == [(0, "bad-step-00000001.pt")] * 2
    stored = [torch.load(tmp_path / name / warned[0][1], weights_only=True) for name in ("False", "True")]
    assert not differences(*stored)
