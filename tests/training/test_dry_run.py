"""The estimates of a dry run against the run itself."""

import time
from pathlib import Path

import pytest

from rfcli.training.dry_run import estimate
from rfcli.training.loop import fit
from rfcli.training.run import Run
from tests.support.training_scenes import RecordingCallbacks, fresh_model, train_options, training_data


def test_hours_and_memory(tmp_path: Path) -> None:
    options, data = train_options(tmp_path, steps=12, validate_every=6), training_data()
    model = fresh_model()
    found = estimate(Run(model, None, data, options))
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert 4 * 4 * found.parameters < found.peak_bytes < 64 << 30  # weights, average and two moments
    assert not list(tmp_path.iterdir())
    total = 12 * found.step_seconds + 2 * found.validation_seconds
    assert found.hours == pytest.approx(total / 3600)
    start = time.perf_counter()
    fit(fresh_model(), data, options, RecordingCallbacks())
    assert 3600 * found.hours < 3 * (time.perf_counter() - start)


def test_nothing_is_written_for_steps_that_are_not_finite(tmp_path: Path) -> None:
    model = fresh_model()
    model.reg_tokens.register_hook(lambda gradient: gradient * float("nan"))
    estimate(Run(model, None, training_data(), train_options(tmp_path, steps=100)))
    assert not list(tmp_path.iterdir())
