"""The moving average against its formula, and that it is what a run is judged by and leaves behind."""

from pathlib import Path

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import read_checkpoint
from rfcli.training.average import averaged
from rfcli.training.loop import fit
from rfcli.training.state import read_state
from rfcli.training.validation import validate
from tests.support.training_scenes import RESOLUTION, Silent, fresh_model, options, training_data


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_formula(decay: float) -> None:
    model = torch.nn.Linear(3, 2)
    model.register_buffer("frequencies", torch.zeros(1))
    average = averaged(model, decay)
    generator = torch.Generator().manual_seed(0)
    expected = None
    for step in range(30):
        weight = torch.randn(2, 3, generator=generator)
        model.weight.data.copy_(weight)
        model.frequencies += 1
        average.update_parameters(model)
        d = min(decay, (1 + step) / (10 + step))
        expected = weight.double() if expected is None else d * expected + (1 - d) * weight.double()
        assert torch.allclose(average.module.weight.double(), expected, atol=1e-6)
        assert average.module.frequencies.item() == step + 1
    assert not average.module.weight.requires_grad


def test_the_average_is_validated_and_saved(tmp_path: Path) -> None:
    watch, model, data = Silent(), fresh_model(), training_data()
    told = options(tmp_path, rate=0.02, ema=0.9)
    fit(model, data, told, watch)
    saved, state = read_checkpoint(tmp_path), read_state(tmp_path, told)
    assert state is not None
    for name, value in saved.state_dict().items():
        assert torch.equal(value, state.average[f"module.{name}"])
    assert not torch.equal(saved.tri_token, model.tri_token)
    assert torch.equal(state.weights["tri_token"], model.tri_token)
    assert validate(saved, data.validation, RESOLUTION) == watch.validations[-1]


def test_without_averaging_the_last_weights_are_saved(tmp_path: Path) -> None:
    model = fresh_model()
    fit(model, training_data(), options(tmp_path, ema=0.0), Silent())
    saved = read_checkpoint(tmp_path).state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in model.state_dict().items())


def test_a_decay_that_forgets_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--ema must be from 0 to below 1, got 1\.0"):
        options(tmp_path, ema=1.0)
