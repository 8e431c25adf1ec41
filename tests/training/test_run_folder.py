"""The files of a run: models, states, history; and a disk that is full."""

import os
import re
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import read_checkpoint
from rfcli.training import run
from rfcli.training.loop import fit
from rfcli.training.state import read_state, states
from tests.support.fresh_processes import fresh_processes
from tests.support.training_process import differences, last_state
from tests.support.training_scenes import RecordingCallbacks, fresh_model, train_options, training_data


def test_the_last_states_and_the_best_model_are_kept(tmp_path: Path) -> None:
    callbacks = RecordingCallbacks()
    options = train_options(tmp_path, steps=12, keep=2, rate=0.02)
    fit(fresh_model(), training_data(), options, callbacks)
    assert [path.name for path in states(tmp_path)] == ["step-00000010.pt", "step-00000012.pt"]
    quality = [validation.psnr for validation in callbacks.validations]
    card = (tmp_path / "best" / "README.md").read_text()
    assert f"| {max(quality):.2f} dB |" in card
    assert f"| steps done | {2 * (1 + quality.index(max(quality)))} |" in card
    assert last_state(tmp_path)["best"] == max(quality)
    assert read_checkpoint(tmp_path / "best").config == read_checkpoint(tmp_path).config


def test_states_are_saved_by_time_too(tmp_path: Path) -> None:
    never = train_options(tmp_path / "never", validate_every=100, keep=9)
    always = train_options(tmp_path / "always", validate_every=100, keep=9, save_minutes=0.0)
    for options in (never, always):
        fit(fresh_model(), training_data(), options, RecordingCallbacks())
    assert [path.stem for path in states(never.out)] == ["step-00000006"]
    assert [path.stem for path in states(always.out)] == [f"step-{step:08d}" for step in range(1, 7)]


class FileSizeLimit(RecordingCallbacks):
    """Limits the files of this process to `size` bytes after step 3."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        if step == 3:
            import resource  # POSIX only

            resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, resource.RLIM_INFINITY))


def run_on_full_disk(out: Path, size: int, threads: int, reports: Connection) -> None:
    """A run that cannot write all its files; reports its error."""
    torch.set_num_threads(threads)  # the order of sums depends on it
    run.fastest_precision = lambda device: torch.float32
    try:
        fit(fresh_model(), training_data(), train_options(out), FileSizeLimit(size))
    except InputError as error:
        reports.send(str(error))


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
@pytest.mark.parametrize("size", [pytest.param(10_000, marks=pytest.mark.slow), 600_000])
def test_a_full_disk_ends_the_run_and_keeps_the_last_checkpoint(tmp_path: Path, size: int) -> None:
    """From step 3 on, files end after `size` bytes: within the model, or (larger) within the state."""
    fit(fresh_model(), training_data(), train_options(tmp_path / "whole"), RecordingCallbacks())
    sizes = [path.stat().st_size for path in (tmp_path / "whole" / "model.safetensors", states(tmp_path / "whole")[-1])]
    assert size < sizes[0] or sizes[0] < size < sizes[1]
    out = tmp_path / "full"
    context = fresh_processes()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=run_on_full_disk, args=(out, size, torch.get_num_threads(), theirs))
    process.start()
    theirs.close()
    message = ours.recv()
    process.join()
    assert process.exitcode == 0
    assert re.search(
        r"full: the checkpoint cannot be written \(.*too large.*which resumes from step 2\.$", message, re.I
    )
    options = train_options(out)
    assert not list(out.rglob(".*"))
    read_checkpoint(out)
    state = read_state(out, options)
    assert state is not None
    assert state.step == 2
    fit(fresh_model(), training_data(), options, RecordingCallbacks(), state=state)
    assert not differences(last_state(tmp_path / "whole"), last_state(out))


def test_an_incomplete_line_of_the_history_is_removed(tmp_path: Path) -> None:
    options = train_options(tmp_path, steps=20, validate_every=10)
    fit(fresh_model(), training_data(), options, RecordingCallbacks())
    path = tmp_path / "metrics.jsonl"
    complete = path.read_text()
    path.write_text(complete + '{"step": 21, "lo')
    fit(fresh_model(), training_data(), options, RecordingCallbacks(), state=read_state(tmp_path, options))
    assert path.read_text() == complete
