"""A rehearsal's numbers against the run that it foretells."""

import time
from pathlib import Path

import pytest

from rfcli.training.loop import fit
from rfcli.training.rehearsal import rehearse
from rfcli.training.run import Run
from tests.support.training_scenes import Silent, fresh_model, options, training_data


def test_hours_and_memory(tmp_path: Path) -> None:
    told, data = options(tmp_path, steps=12, validate_every=6), training_data()
    model = fresh_model()
    found = rehearse(Run(model, None, data, told))
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert 4 * 4 * found.parameters < found.peak_bytes < 64 << 30  # weights, average and two moments
    assert not list(tmp_path.iterdir())
    total = 12 * found.step_seconds + 2 * found.validation_seconds
    assert found.hours == pytest.approx(total / 3600)
    start = time.perf_counter()
    fit(fresh_model(), data, told, Silent())
    assert 3600 * found.hours < 3 * (time.perf_counter() - start)
