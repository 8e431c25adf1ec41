"""Runs resume exactly, whatever interrupts them; a run with other options does not."""

import dataclasses
import json
import signal
from pathlib import Path

import pytest
import torch

from rfcli.errors import InputError
from rfcli.training.loop import fit
from rfcli.training.phases import Phase
from rfcli.training.run import Run
from rfcli.training.state import read_state, save_state, states
from tests.support.training_process import compare, differences
from tests.support.training_scenes import RecordingCallbacks, fresh_model, train_options, training_data


class InterruptAt(RecordingCallbacks):
    """Sends SIGINT after a step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        if step == self.step:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("stop", [pytest.param(1, marks=pytest.mark.slow), 3, pytest.param(4, marks=pytest.mark.slow)])
def test_an_interrupted_run_ends_bit_identical(tmp_path: Path, stop: int) -> None:
    whole = fresh_model()
    fit(whole, training_data(), train_options(tmp_path / "whole"), RecordingCallbacks())
    options = train_options(tmp_path / "parts")
    first = fit(fresh_model(), training_data(), options, InterruptAt(stop))
    assert first.interrupted
    assert first.steps == stop
    state = read_state(options.out, options)
    assert state is not None
    resumed = fresh_model(seed=9)  # its weights are replaced by those of the state
    outcome = fit(resumed, training_data(), options, RecordingCallbacks(), state=state)
    assert outcome.steps == options.steps
    assert not differences(whole.state_dict(), resumed.state_dict())
    histories = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "parts")]
    steps = [[json.loads(line)["step"] for line in history.splitlines()] for history in histories]
    assert steps[0] == steps[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Skipping Gaussian Smoothing")  # windows of 11 pixels, images of 8
def test_two_kills_change_nothing(tmp_path: Path) -> None:
    found, _ = compare(tmp_path, steps=12, kills=2, seed=0)
    assert not found
    assert not list(tmp_path.rglob(".*"))  # unfinished files of killed sessions are removed


def test_differences_are_found() -> None:
    a = {"x": torch.zeros(2), "y": [1, {"z": torch.ones(1)}]}
    assert differences(a, {"x": torch.zeros(2), "y": [1, {"z": torch.ones(1)}]}) == []
    assert differences(a, {"x": torch.zeros(2), "y": [1, {"z": torch.full((1,), 1 + 1e-7)}]}) == ["/y/1/z"]
    assert differences(a, {"x": torch.zeros(2)}) == [""]


def test_a_resumed_run_keeps_its_precision_and_its_duration(tmp_path: Path) -> None:
    options = train_options(tmp_path)
    run = Run(fresh_model(), None, training_data(), options)
    run.precision, run.seconds = torch.bfloat16, 1800.0
    save_state(options.out, run.state(2), keep=1)
    state = read_state(options.out, options)
    assert state is not None
    resumed = Run(fresh_model(), None, training_data(), options)
    resumed.restore(state)
    assert (resumed.precision, resumed.seconds) == (torch.bfloat16, 1800.0)


def test_a_different_option_is_named(tmp_path: Path) -> None:
    fit(fresh_model(), training_data(), train_options(tmp_path), RecordingCallbacks())
    with pytest.raises(InputError, match=r"`rate` 0\.001, not 0\.5"):
        read_state(tmp_path, train_options(tmp_path, rate=0.5))
    with pytest.raises(InputError, match="holds a run that started from , not from small; start from the same model"):
        read_state(tmp_path, train_options(tmp_path, start="small"))


def test_an_unreadable_state_is_named_and_the_one_before_can_be_used(tmp_path: Path) -> None:
    fit(fresh_model(), training_data(), train_options(tmp_path), RecordingCallbacks())
    states(tmp_path)[-1].write_bytes(b"torn")
    with pytest.raises(InputError, match=r"step-00000006\.pt is not a readable .*; delete it to resume from the one"):
        read_state(tmp_path, train_options(tmp_path))
    states(tmp_path)[-1].unlink()
    before = read_state(tmp_path, train_options(tmp_path))
    assert before is not None
    assert before.step == 4


def test_a_former_kind_of_state_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"hours of work")
    with pytest.raises(InputError, match="holds a run of an earlier rf, which cannot be resumed; use another `out`"):
        read_state(tmp_path, train_options(tmp_path))


def test_phases_are_stored_under_their_former_name(tmp_path: Path) -> None:
    """States of runs that were started with --stages can be resumed with --phases, and the other way round."""
    options = train_options(tmp_path, phases=(Phase(2, 8, (10, 12)), Phase(4, 16)))
    state = Run(fresh_model(), None, training_data(), options).state(2)
    assert state.options["stages"] == "8:2:10-12,16:4"
    assert "phases" not in state.options
    save_state(tmp_path, state, keep=1)
    assert read_state(tmp_path, options) is not None
    other = dataclasses.replace(options, phases=(Phase(6, 16),), steps=None, resolution=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`phases` 8:2:10-12,16:4, not 16:6; repeat that option"):
        read_state(tmp_path, other)
