"""Runs in stages: what each learns from, what they are judged by, and that kills where they change harm nothing."""

import dataclasses
import json
import os
import signal
from pathlib import Path

import pytest
import torch

from rfcli.dataset import Sample, write_sample
from rfcli.dataset.manifest import Entry, sha256_of, write_manifest
from rfcli.dataset.split import is_validation
from rfcli.errors import InputError
from rfcli.scene import TriangleScene
from rfcli.training import run
from rfcli.training.loop import fit
from rfcli.training.rehearsal import rehearse
from rfcli.training.run import Run
from rfcli.training.scenes import TrainingData, read_dataset
from rfcli.training.stages import Stage, ends, stage_at
from rfcli.training.state import read_state
from tests.support.fresh_processes import fresh_processes
from tests.support.model_scenes import SMALL
from tests.support.training_process import differences, last_state
from tests.support.training_scenes import Silent, fresh_model, options, training_data, training_scene

pytestmark = pytest.mark.filterwarnings("ignore:Skipping Gaussian Smoothing")  # windows of 11 pixels, images of 8
CURRICULUM = (Stage(3, 8, (10, 12)), Stage(3, 16))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight scenes of 10 to 17 triangles at 16 x 16 pixels, the first of which is held out."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "scenes").mkdir()
    entries = []
    for index in range(8):
        given = training_scene(index, 10 + index)
        path = folder / "scenes" / f"{index:06d}.h5"
        scene = TriangleScene(given.triangles, given.vn, given.material, given.c2w, given.fov)
        write_sample(path, Sample(scene, given.images))
        size = path.stat().st_size
        entries.append(Entry(index, f"scenes/{path.name}", index, 10 + index, 2, size, sha256_of(path)))
    write_manifest(folder, entries)
    return folder


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [((5,), [0] * 6), ((1, 1, 1), [0, 1, 2, 2]), ((2, 3), [0, 0, 1, 1, 1, 1, 1])],
)
def test_every_step_has_its_stage(lengths: tuple[int, ...], expected: list[int]) -> None:
    stages = [Stage(steps, 8) for steps in lengths]
    assert [stage_at(stages, step) for step in range(len(expected))] == expected
    assert ends(stages)[-1] == sum(lengths)
    slow = [number for number, stage in enumerate(stages) for _ in range(stage.steps)]
    assert [stage_at(stages, step) for step in range(sum(lengths))] == slow


@pytest.mark.parametrize("now", [0, 1])
def test_only_the_scenes_of_the_stage_and_those_held_out_are_read(folder: Path, now: int) -> None:
    data = read_dataset(folder, CURRICULUM, SMALL, now)
    assert [scene.images.shape[1] for scene in data.validation] == [16]
    other = 1 - now
    for stage in (now, other, now):
        data.enter(stage)
        low, high = CURRICULUM[stage].triangles or (0, 99)
        expected = [n for n in range(10, 18) if low <= n <= high and not is_validation(n - 10)]
        assert [len(scene.triangles) for scene in data.train] == expected
        assert {scene.images.shape[1] for scene in data.train} == {CURRICULUM[stage].resolution}


def test_a_run_goes_through_its_stages_and_is_judged_at_the_last(folder: Path, tmp_path: Path) -> None:
    told = options(tmp_path, data=folder, stages=CURRICULUM, steps=6, validate_every=100, keep=9)
    data, seen = read_dataset(folder, CURRICULUM, SMALL), []

    class Listening(Run):
        def batch(self, step: int):  # type: ignore[no-untyped-def]
            batch, share = super().batch(step)
            seen.append((batch.truth.shape[2], int(batch.scenes.mask.sum(1).max())))
            return batch, share

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rfcli.training.loop.Run", Listening)
        patch.setattr("rfcli.training.run.REPORT_EVERY", 1)
        patch.setattr("rfcli.training.loop.REPORT_EVERY", 1)
        watch = Silent()
        fit(fresh_model(), data, told, watch)
    assert [resolution for resolution, _ in seen] == [8, 8, 8, 16, 16, 16]
    assert max(triangles for _, triangles in seen[:3]) <= 12
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["stage"]) for line in lines if "loss" in line] == [
        (step, 1 + (step > 3)) for step in range(1, 7)
    ]
    assert [line["step"] for line in lines if "validation" in line] == [3, 6]  # at the end of each stage
    assert '| stages | "8:3:10-12,16:3" |' in (tmp_path / "README.md").read_text()
    whole = read_dataset(folder, CURRICULUM, SMALL).validation
    assert len(watch.validations) == 2
    assert [scene.images.shape for scene in whole] == [scene.images.shape for scene in data.validation]


def sitting(folder: Path, out: Path, watch: Silent) -> None:
    """Go on with a run in two stages from wherever it is; its model draws random numbers."""
    run.fastest_precision = lambda device: torch.float32
    told = options(out, data=folder, stages=CURRICULUM, steps=6, save_minutes=0.0, validate_every=4)
    state, model = read_state(out, told), fresh_model(dropout=0.1)
    done = state.step if state else 0
    data = read_dataset(folder, CURRICULUM, model.config, stage_at(CURRICULUM, done))
    fit(model, data, told, watch, state=state)


class Deadly(Silent):
    """Kills its process after a step."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last

    def stepped(self, step: int, losses: dict[str, float]) -> None:
        if step == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def deadly_sitting(folder: Path, out: Path, last: int) -> None:
    torch.set_num_threads(1)
    sitting(folder, out, Deadly(last))


@pytest.mark.skipif(os.name != "posix", reason="kills")
def test_kills_before_at_and_after_the_change_of_stage_change_nothing(folder: Path, tmp_path: Path) -> None:
    """Killed after the last step of the first stage, before its state is written, and after two of the second."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        sitting(folder, tmp_path / "whole", Silent())
    finally:
        torch.set_num_threads(threads)
    out = tmp_path / "killed"
    for kill in (3, 4, 5, 99):
        process = fresh_processes().Process(target=deadly_sitting, args=(folder, out, kill))
        process.start()
        process.join()
        assert process.exitcode == (0 if kill == 99 else -signal.SIGKILL)
    assert not differences(last_state(tmp_path / "whole"), last_state(out))
    for file in ("model.safetensors", "best/model.safetensors", "grid.png"):
        assert (out / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    steps = [
        [json.loads(line)["step"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "killed")
    ]
    assert steps[0] == steps[1]


def test_a_scene_that_broke_since_is_named_when_its_stage_comes(folder: Path, tmp_path: Path) -> None:
    read: list[int] = []

    def of_stage(stage: int):  # type: ignore[no-untyped-def]
        read.append(stage)
        return training_data(3).train, ["000007.h5: broken"]

    class Warned(Silent):
        sentences: list[str] = []  # noqa: RUF012

        def warned(self, sentence: str) -> None:
            self.sentences.append(sentence)

    given, watch = training_data(), Warned()
    data = TrainingData(given.train, given.validation, read=of_stage)
    stages = (Stage(2, 16), Stage(2, 16), Stage(2, 16))
    fit(fresh_model(), data, options(tmp_path, stages=stages, steps=6), watch)
    assert read == [1, 2]
    assert [s for s in watch.sentences if "000007" in s] == ["a scene is left out: 000007.h5: broken"]


def test_a_dry_run_times_every_stage(folder: Path, tmp_path: Path) -> None:
    told = options(tmp_path, data=folder, stages=(Stage(30, 8), Stage(10, 16)), steps=40, validate_every=100)
    data = read_dataset(folder, told.stages, SMALL)
    found = rehearse(Run(fresh_model(), None, data, told))
    assert len(found.stage_seconds) == 2
    total = 30 * found.stage_seconds[0] + 10 * found.stage_seconds[1]
    assert found.step_seconds == pytest.approx(total / 40)
    assert found.hours == pytest.approx((total + found.validation_seconds) / 3600)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        ((Stage(1, 8), Stage(1, 12), Stage(1, 16)), r"--stages 12:1: .* holds images of 16 pixels, which that must"),
        ((Stage(1, 4), Stage(1, 16)), r"--stages 4:1: the resolution must be a multiple of 8"),
        ((Stage(1, 8), Stage(1, 16, (99, 200))), r"no scenes of 99 to 200 triangles; widen those of --stages 16:1:99-"),
        ((Stage(1, 8, (10, 10)), Stage(1, 16)), r"holds 1 scene, too few to train"),
        ((Stage(1, 8), Stage(1, 16, (11, 12))), r"holds 2 scenes, too few to train"),
    ],
)
def test_a_stage_that_could_not_begin_is_told_before_the_first(
    folder: Path, stages: tuple[Stage, ...], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        read_dataset(folder, stages, dataclasses.replace(SMALL))


def test_other_stages_in_the_same_folder_are_named(folder: Path, tmp_path: Path) -> None:
    sitting(folder, tmp_path, Silent())
    told = options(tmp_path, data=folder, stages=(Stage(6, 8), Stage(6, 16)), steps=12, validate_every=4)
    with pytest.raises(InputError, match=r"--stages 8:3:10-12,16:3, not 8:6,16:6; repeat that option"):
        read_state(tmp_path, told)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stages": CURRICULUM, "steps": 5}, "--stages must add up to the steps"),
        ({"stages": CURRICULUM, "resolution": 8}, "--stages must add up to the steps of the run, and end with its"),
        ({"stages": CURRICULUM, "overfit": 1}, "--overfit learns a few scenes as they are; leave out --stages"),
        ({"stages": CURRICULUM, "warmup": 6}, "--warmup 6 must be shorter than the run of 6 steps"),
    ],
)
def test_options_that_contradict_their_stages(tmp_path: Path, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        options(tmp_path, **changes)
    with pytest.raises(InputError, match="--stages 8:0: the steps must be at least 1"):
        Stage(0, 8)
