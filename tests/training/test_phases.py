"""Runs in phases: their scenes and resolutions, the validation, and kills around the change of phase."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from rfcli.dataset.batching import is_validation
from rfcli.errors import InputError
from rfcli.training import run
from rfcli.training.dry_run import estimate
from rfcli.training.loop import fit
from rfcli.training.phases import Phase, phase_at, phase_ends
from rfcli.training.run import Run
from rfcli.training.scenes import read_dataset
from rfcli.training.state import read_state
from tests.support.fresh_processes import fresh_processes
from tests.support.model_scenes import SMALL
from tests.support.training_datasets import write_dataset
from tests.support.training_process import ImageFile, differences, different_files, last_state
from tests.support.training_scenes import RecordingCallbacks, fresh_model, train_options, training_data

pytestmark = pytest.mark.filterwarnings("ignore:Skipping Gaussian Smoothing")  # windows of 11 pixels, images of 8
CURRICULUM = (Phase(3, 8, (10, 12)), Phase(3, 16))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight scenes of 10 to 17 triangles at 16 x 16 pixels, the first of which is held out."""
    return write_dataset(tmp_path_factory.mktemp("runs") / "data", 8)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [((5,), [0] * 6), ((1, 1, 1), [0, 1, 2, 2]), ((2, 3), [0, 0, 1, 1, 1, 1, 1])],
)
def test_every_step_has_its_phase(lengths: tuple[int, ...], expected: list[int]) -> None:
    phases = [Phase(steps, 8) for steps in lengths]
    assert [phase_at(phases, step) for step in range(len(expected))] == expected
    assert phase_ends(phases)[-1] == sum(lengths)
    reference = [index for index, phase in enumerate(phases) for _ in range(phase.steps)]
    assert [phase_at(phases, step) for step in range(sum(lengths))] == reference


def test_a_phase_has_steps_and_pixels() -> None:
    with pytest.raises(InputError, match="`phases` 8:0: the steps must be at least 1"):
        Phase(0, 8)
    with pytest.raises(InputError, match="`phases` 0:1: the resolution must be at least 1"):
        Phase(1, 0)


def test_every_phase_has_its_scenes_at_its_resolution(folder: Path) -> None:
    data = read_dataset(folder, CURRICULUM, SMALL)
    assert [scene.images.shape[1] for scene in data.validation] == [16]
    for number, phase in enumerate(CURRICULUM):
        low, high = phase.triangles or (0, 99)
        expected = [n for n in range(10, 18) if low <= n <= high and not is_validation(n - 10)]
        scenes = data.scenes(number)
        assert [len(scene.triangles) for scene in scenes] == data.sizes(number).tolist() == expected
        assert {scene.images.shape[1] for scene in scenes} == {phase.resolution}


def test_a_run_has_all_phases_and_is_validated_at_the_last_resolution(folder: Path, tmp_path: Path) -> None:
    options = train_options(tmp_path, data=folder, phases=CURRICULUM, validate_every=100, keep=9)
    data, batches = read_dataset(folder, CURRICULUM, SMALL), []

    class RecordingRun(Run):
        def step(self, step, made=None, waited=0.0):  # type: ignore[no-untyped-def]
            batches.append((made.images.shape[2], int(made.mask.sum(1).max())))
            return super().step(step, made, waited)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rfcli.training.loop.Run", RecordingRun)
        patch.setattr("rfcli.training.run.REPORT_EVERY", 1)
        patch.setattr("rfcli.training.loop.REPORT_EVERY", 1)
        callbacks = RecordingCallbacks()
        fit(fresh_model(), data, options, callbacks)
    assert [resolution for resolution, _ in batches] == [8, 8, 8, 16, 16, 16]
    assert max(triangles for _, triangles in batches[:3]) <= 12
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["stage"]) for line in lines if "loss" in line] == [
        (step, 1 + (step > 3)) for step in range(1, 7)
    ]
    assert [line["step"] for line in lines if "validation" in line] == [3, 6]  # at the end of each phase
    assert '| phases | "8:3:10-12,16:3" |' in (tmp_path / "README.md").read_text()
    assert len(callbacks.validations) == 2
    again = read_dataset(folder, CURRICULUM, SMALL).validation
    assert [scene.images.shape for scene in again] == [scene.images.shape for scene in data.validation]


def session(folder: Path, out: Path, callbacks: RecordingCallbacks) -> None:
    """Start or resume a run in two phases; its model has dropout, which uses random numbers."""
    run.fastest_precision = lambda device: torch.float32
    options = train_options(out, data=folder, phases=CURRICULUM, save_minutes=0.0, validate_every=4)
    state, model = read_state(out, options), fresh_model(dropout=0.1)
    data = read_dataset(folder, CURRICULUM, model.config)
    fit(model, data, options, callbacks, state=state)


class KillAt(ImageFile):
    """Kills its process after a step."""

    def __init__(self, out: Path, last: int) -> None:
        super().__init__(out)
        self.last = last

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        if step == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_session(folder: Path, out: Path, last: int) -> None:
    torch.set_num_threads(1)
    session(folder, out, KillAt(out, last))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills")
def test_kills_around_the_change_of_phase_change_nothing(folder: Path, tmp_path: Path) -> None:
    """Killed after the last step of the first phase, before its state is written, and after two of the second."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    try:
        session(folder, whole, ImageFile(whole))
    finally:
        torch.set_num_threads(threads)
    for kill in (3, 4, 5, 99):
        process = fresh_processes().Process(target=killed_session, args=(folder, killed, kill))
        process.start()
        process.join()
        assert process.exitcode == (0 if kill == 99 else -signal.SIGKILL)
    assert not differences(last_state(whole), last_state(killed))
    assert not different_files(whole, killed)
    steps = [
        [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
        for out in (whole, killed)
    ]
    assert steps[0] == steps[1]


def test_a_dry_run_measures_every_phase(folder: Path, tmp_path: Path) -> None:
    options = train_options(tmp_path, data=folder, phases=(Phase(30, 8), Phase(10, 16)), validate_every=100)
    data = read_dataset(folder, options.phases, SMALL)
    found = estimate(Run(fresh_model(), None, data, options))
    assert len(found.phase_seconds) == 2
    total = 30 * found.phase_seconds[0] + 10 * found.phase_seconds[1]
    assert found.step_seconds == pytest.approx(total / 40)
    assert found.hours == pytest.approx((total + found.validation_seconds) / 3600)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ((Phase(1, 8), Phase(1, 12), Phase(1, 16)), r"`phases` 12:1: the resolution must divide .*, 16 pixels"),
        ((Phase(1, 4), Phase(1, 16)), r"`phases` 4:1: the resolution must be a multiple of 8"),
        ((Phase(1, 8), Phase(1, 16, (99, 200))), r"no scenes of 99 to 200 triangles; widen those of `phases` 16:1:99-"),
        ((Phase(1, 8, (10, 10)), Phase(1, 16)), r"holds 1 scene, too few to train"),
        ((Phase(1, 8), Phase(1, 16, (11, 12))), r"holds 2 scenes, too few to train"),
    ],
)
def test_an_impossible_phase_is_reported_before_the_first_starts(
    folder: Path, phases: tuple[Phase, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_dataset(folder, phases, SMALL)


def test_images_of_a_single_patch_are_not_trained_in_bf16(folder: Path, tmp_path: Path) -> None:
    """torch leaves gradients of bfloat16 convolutions over a single pixel uninitialised, at random inf or nan."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rfcli.training.run.fastest_precision", lambda device: torch.bfloat16)
        chosen = [
            Run(fresh_model(), None, training_data(), train_options(tmp_path, phases=phases)).precision
            for phases in ((Phase(2, 8), Phase(2, 16)), (Phase(2, 16),))
        ]
    assert chosen == [torch.float32, torch.bfloat16]


def test_other_phases_in_the_same_folder_are_named(folder: Path, tmp_path: Path) -> None:
    session(folder, tmp_path, RecordingCallbacks())
    options = train_options(tmp_path, data=folder, phases=(Phase(6, 8), Phase(6, 16)), validate_every=4)
    with pytest.raises(InputError, match=r"`phases` 8:3:10-12,16:3, not 8:6,16:6; repeat that option"):
        read_state(tmp_path, options)
