"""What may happen to a run without harm: kills, a full disk, numbers that are not finite, scenes that are not whole."""

import dataclasses
import os
import re
import shutil
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch

from rfcli.dataset import Sample, write_sample
from rfcli.dataset.files import sha256_of
from rfcli.dataset.manifest import Entry, write_manifest
from rfcli.errors import InputError
from rfcli.metrics.perceptual import StructuralDistance
from rfcli.model import convert, read_checkpoint
from rfcli.scene import TriangleScene
from rfcli.training import run
from rfcli.training.bad_steps import MOST_IN_A_ROW, repeat_bad_step
from rfcli.training.loop import fit
from rfcli.training.scenes import TrainingData, read_dataset
from rfcli.training.stages import Stage
from rfcli.training.state import read_state, states
from tests.support.fresh_processes import fresh_processes
from tests.support.model_scenes import SMALL
from tests.support.training_process import compare, differences, last_state
from tests.support.training_scenes import RESOLUTION, Silent, fresh_model, options, training_data, training_scene


@pytest.mark.filterwarnings("ignore:Skipping Gaussian Smoothing")  # windows of 11 pixels, images of 8
def test_two_kills_change_nothing(tmp_path: Path) -> None:
    found, _ = compare(tmp_path, steps=12, kills=2, seed=0)
    assert not found
    assert not list(tmp_path.rglob(".*"))  # what the kills left was swept


def test_differences_are_found() -> None:
    a = {"x": torch.zeros(2), "y": [1, {"z": torch.ones(1)}]}
    assert differences(a, {"x": torch.zeros(2), "y": [1, {"z": torch.ones(1)}]}) == []
    assert differences(a, {"x": torch.zeros(2), "y": [1, {"z": torch.full((1,), 1 + 1e-7)}]}) == ["/y/1/z"]
    assert differences(a, {"x": torch.zeros(2)}) == [""]


def test_the_last_states_and_the_best_model_are_kept(tmp_path: Path) -> None:
    watch = Silent()
    told = options(tmp_path, steps=12, keep=2, rate=0.02)
    fit(fresh_model(), training_data(), told, watch)
    assert [path.name for path in states(tmp_path)] == ["step-00000010.pt", "step-00000012.pt"]
    quality = [validation.psnr for validation in watch.validations]
    card = (tmp_path / "best" / "README.md").read_text()
    assert f"| {max(quality):.2f} dB |" in card
    assert f"| steps done | {2 * (1 + quality.index(max(quality)))} |" in card
    assert last_state(tmp_path)["best"] == max(quality)
    assert read_checkpoint(tmp_path / "best").config == read_checkpoint(tmp_path).config


def test_states_are_saved_by_time_too(tmp_path: Path) -> None:
    never = options(tmp_path / "never", validate_every=100, keep=9)
    always = options(tmp_path / "always", validate_every=100, keep=9, save_minutes=0.0)
    for told in (never, always):
        fit(fresh_model(), training_data(), told, Silent())
    assert [path.stem for path in states(never.out)] == ["step-00000006"]
    assert [path.stem for path in states(always.out)] == [f"step-{step:08d}" for step in range(1, 7)]


class Filling(Silent):
    """Lets no file of its process have more than `room` bytes after step 3."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def stepped(self, step: int, losses: dict[str, float]) -> None:
        if step == 3:
            import resource  # which only posix has

            resource.setrlimit(resource.RLIMIT_FSIZE, (self.room, resource.RLIM_INFINITY))


def fill(out: Path, room: int, threads: int, told: Connection) -> None:
    """A run that the disk is too small for; tells how it ended."""
    torch.set_num_threads(threads)  # sums in another order have other bits
    run.fastest_precision = lambda device: torch.float32
    try:
        fit(fresh_model(), training_data(), options(out), Filling(room))
    except InputError as error:
        told.send(str(error))


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
@pytest.mark.parametrize("room", [10_000, 600_000])
def test_a_full_disk_is_a_clear_stop_and_the_checkpoint_before_is_whole(tmp_path: Path, room: int) -> None:
    """Files end after `room` bytes from step 3 on: within the model, or (larger) within the state."""
    fit(fresh_model(), training_data(), options(tmp_path / "whole"), Silent())
    sizes = [path.stat().st_size for path in (tmp_path / "whole" / "model.safetensors", states(tmp_path / "whole")[-1])]
    assert room < sizes[0] or sizes[0] < room < sizes[1]
    out = tmp_path / "full"
    context = fresh_processes()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=fill, args=(out, room, torch.get_num_threads(), theirs))
    process.start()
    theirs.close()
    sentence = ours.recv()
    process.join()
    assert process.exitcode == 0
    assert re.search(
        r"full: the checkpoint cannot be written \(.*too large.*which goes on from step 2\.$", sentence, re.I
    )
    told = options(out)
    assert not list(out.rglob(".*"))
    read_checkpoint(out)
    state = read_state(out, told)
    assert state is not None
    assert state.step == 2
    fit(fresh_model(), training_data(), told, Silent(), state=state)
    assert not differences(last_state(tmp_path / "whole"), last_state(out))


def poisoned(bad: int) -> TrainingData:
    """Training data whose scene `bad` has a pixel that is not a number."""
    data = training_data()
    images = data.train[bad].images.copy()
    images[:, 0, 0] = np.nan
    data.train[bad] = dataclasses.replace(data.train[bad], images=images)
    return data


@pytest.mark.parametrize("teacher", [False, True])
def test_a_bad_step_is_passed_over_and_can_be_repeated(tmp_path: Path, teacher: bool) -> None:
    class Warned(Silent):
        sentences: list[str] = []  # noqa: RUF012

        def warned(self, sentence: str) -> None:
            self.sentences.append(sentence)

    watch, soft = Warned(), fresh_model()
    if teacher:
        torch.nn.init.constant_(soft.transformer.attentions()[0].out_proj.weight, float("inf"))
    told = options(tmp_path, transfer=1 if teacher else 0, batch=5)
    model = convert(soft, "hedgehog") if teacher else soft
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, training_data() if teacher else poisoned(2), told, watch, teacher=soft if teacher else None)
    dumps = sorted(tmp_path.glob("bad-step-*.pt"))
    assert [path.name for path in dumps] == ["bad-step-00000000.pt"]  # the first only
    assert watch.sentences[0] == f"step 1, whose loss or gradient is not finite, was passed over; see {dumps[0]}."
    assert sum("passed over" in sentence for sentence in watch.sentences) == 1
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    loss, norm = repeat_bad_step(dumps[0], StructuralDistance())
    assert not np.isfinite(loss)
    assert not np.isfinite(norm)


def test_a_repeated_step_has_the_loss_that_it_had(tmp_path: Path) -> None:
    """Only the gradient is bad here, so that the loss can be compared."""
    model, watch = fresh_model(), Silent()
    model.reg_tokens.register_hook(lambda gradient: gradient * float("nan"))
    fit(model, training_data(), options(tmp_path, steps=2), watch)
    loss, norm = repeat_bad_step(tmp_path / "bad-step-00000000.pt", StructuralDistance())
    assert loss == watch.losses[0]
    assert np.isfinite(norm)  # the hook is not in the file


def test_many_bad_steps_in_a_row_end_the_run(tmp_path: Path) -> None:
    model = fresh_model()
    model.reg_tokens.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(
        InputError, match=rf"{MOST_IN_A_ROW + 1} steps in a row had no finite loss and gradient; use a lower --rate"
    ):
        fit(model, training_data(), options(tmp_path, steps=100), Silent())


def dataset(folder: Path, scenes: int) -> Path:
    """A dataset of random scenes."""
    (folder / "scenes").mkdir(parents=True)
    given = training_scene(0)
    scene = TriangleScene(given.triangles, given.vn, given.material, given.c2w, given.fov)
    first = folder / "scenes" / "000000.h5"
    write_sample(first, Sample(scene, given.images))
    entries = []
    for index in range(scenes):
        path = folder / "scenes" / f"{index:06d}.h5"
        if index:
            shutil.copy(first, path)
        size = path.stat().st_size
        entries.append(Entry(index, f"scenes/{path.name}", index, len(scene), 2, size, sha256_of(path)))
    write_manifest(folder, entries)
    return folder


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing"])
def test_a_corrupt_scene_is_named_skipped_and_counted(tmp_path: Path, damage: str) -> None:
    folder, config = dataset(tmp_path / "data", 110), dataclasses.replace(SMALL, visibility="attention")
    victim = folder / "scenes" / "000005.h5"
    content = victim.read_bytes()
    if damage == "missing":
        victim.unlink()
    else:
        middle = len(content) // 2
        changed = bytes([content[middle] ^ 1]) + content[middle + 1 :]
        victim.write_bytes(content[:middle] + (b"" if damage == "cut" else changed))
    data = read_dataset(folder, [Stage(1, RESOLUTION)], config)
    assert len(data.train) == 110 - 7 - 1
    assert len(data.skipped) == 1
    assert "000005.h5" in data.skipped[0]
    (folder / "scenes" / "000006.h5").unlink()
    with pytest.raises(InputError, match=r"2 of the 110 scenes in .*, which is more than 1%; .*000005\.h5"):
        read_dataset(folder, [Stage(1, RESOLUTION)], config)


def test_a_run_of_an_earlier_rf_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"hours of work")
    with pytest.raises(
        InputError, match="holds a run of an earlier rf, which cannot be gone on with; use another --out"
    ):
        read_state(tmp_path, options(tmp_path))


def test_a_torn_line_of_the_history_is_forgotten(tmp_path: Path) -> None:
    told = options(tmp_path, steps=40, validate_every=20)
    fit(fresh_model(), training_data(), told, Silent())
    path = tmp_path / "metrics.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"step": 41, "lo')
    fit(fresh_model(), training_data(), told, Silent(), state=read_state(tmp_path, told))
    assert path.read_text() == whole
